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

` + "`go test -run xxx -bench 'Peak|Gemm|Lookup|IntLayer|IntRowMemory|Vectors|Train' ./internal/kernel`" + `
measures each kernel, in each variant, beside what one core can do at most (BenchmarkPeak,
BenchmarkIntPeak). On arm64 only the float32 products have vector code (NEON); it was tested
under an emulator, and not timed.

## Where the time goes

Profiles of 28 November 2026, on the machine above: 260 GFLOP/s and 990 GOP/s (VPDPBUSD) a core.

- **A training step of L** (` + "`go test -run xxx -bench 'Step/ternary/8x128' -cpuprofile cpu .`" + `):
  42% of the CPU time are float32 products for the gradients of weights, and another 6% pack
  their operands, which come from memory: together 70 to 80% of the peak. 20% are the
  gradients of inputs, which ternary layers look up, 1.4 to 1.9 times as fast as they would
  multiply (BenchmarkLookup). 13% are the integer products going forward, at their peak.
  Nothing else is more than 2.5%; AdamW, whose 19 million parameters come from memory, comes
  on top, a fourteenth of a whole step. For a tenth of the time one of two cores waits.
- **A prediction of M**: 65% are integer products, at their peak; attention's products and the
  activation are 8% each.
- **A stream's frame** (` + "`go test -run xxx -bench Stream ./infer`" + `, while the window fills, ternary,
  256 wide, 4 layers) takes 15.5 us for 475 us of a whole window, 1/30.8: 52% are integer
  products of one token, whose 790 KB of weights, with the keys and values of 60 steps,
  do not all fit the second cache; attention's products are 15%.
`
