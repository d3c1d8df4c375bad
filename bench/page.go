package main

// head begins the document.
func head(machine string) string {
	return `# Performance

Made by ` + "`bash bench/bench.sh`" + `: this library and others on the same work, in turns, in one
run. A time is the median of the turns' medians, a ratio the median of the turns' ratios
of our time to theirs: less than 1 is faster. The last column is what we set out to reach.

` + machine + `

S is batch 32, 8 steps of 8 values, hidden 64, 4 heads, 2 layers; M is batch 32, 60 steps
of 256, hidden 256, 4 heads, 4 layers; L is batch 8, 128 steps of 512, hidden 512, 8 heads,
6 layers.

`
}

// tail ends it.
const tail = `## Products

` + "`go test -run xxx -bench 'Peak|Gemm|IntLayer|IntRowMemory|Vectors|Train' ./internal/kernel`" + ` measures each
kernel, in each variant, beside what one core can do at most (BenchmarkPeak, BenchmarkIntPeak).

## Where a mark is missed

Profiles of 27 November 2026, on the machine above: 260 to 270 GFLOP/s and 1,010 GOP/s
(VPDPBUSD) a core.

- **A training step of L** (` + "`go test -run xxx -bench 'Step/ternary/8x128' -cpuprofile cpu .`" + `) has
  67 GFLOP of float32 products going back, 58% of its CPU time, which run at 90 to 97% of
  the peak: 130 of its 240 ms on two cores, where the mark allows 203 for everything. The
  integer products going forward take 9%, at their peak too; AdamW, whose 19 million
  parameters come from memory, 5%; packing of operands 4%; attention 8%, both ways; nothing
  else more than 2.5%. A tenth of the time one of the cores waits, mostly for sums of
  gradients, which Gorgonia makes on one.
- **Inference of M** (` + "`go test -run xxx -bench 'Predict/medium/ternary' -cpuprofile cpu ./infer`" + `) takes
  0.30 GOP a sequence in integer products, at the peak 0.29 of its 0.53 ms, and as much in a
  batch, which has no work to share but the unpacking of codes (3%). What is left are
  attention's products (8%), SiLU (7%), softmax (5%), quantizing (5%) and norms (5%), each
  rounded operation by operation as the training graph has it.
`
