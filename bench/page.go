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

` + "`go test -run xxx -bench 'Peak|Gemm|IntPeak|IntLayer|Vectors' ./internal/kernel`" + ` measures each kernel, in
each variant, beside what one core can do at most (BenchmarkPeak, BenchmarkIntPeak).
`
