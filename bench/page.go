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

Profiles of 27 November 2026, on the machine above, whose AVX-512 units are 256 bits wide:
113 GFLOP/s and 444 GOP/s (VPDPBUSD) a core, half of what the marks were set on.

- **A training step of M** (` + "`go test -run xxx -bench 'Step/ternary/32x60' -cpuprofile cpu .`" + `) is 61% the
  float32 products of the backward pass, which run at 80% of the peak, 9% the integer
  products, 4% packing of operands; dropout, SiLU, attention, norms and the copies in between
  are the other quarter, none above 3%.
- **A small step** spends a third in float32 products whose tiles are half empty, and the
  rest in a hundred small kernels and in the machine that runs the graph.
- **Inference of M** takes 0.31 GOP a sequence in integer products: 0.69 ms at the peak, of
  1.1 ms in all. SiLU (6%), attention (8%), unpacking ternary codes (5%), quantizing
  activations (5%) and norms are what is left.
`
