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
- **A training step of M** on two threads is at 0.39 to 0.42 of PyTorch's from run to run:
  59% of its CPU time are products, and for a tenth of it one core waits too.
- **A stream's frame** (` + "`go test -run xxx -bench Stream ./infer`" + `, while the window fills, ternary,
  256 wide, 4 layers) takes 19.3 us for 530 us of a whole window, 1/27.5 where 1/30 was
  wanted: 46% of it are integer products of one token, whose 790 KB of weights, with the keys
  and values of 60 steps, no longer fit the second cache; attention's products are 16%.
`
