package kernel

import (
	"fmt"
	"runtime"
	"testing"
)

// report adds the rate of a benchmark whose every iteration did ops operations.
func report(b *testing.B, ops int) {
	b.ReportMetric(float64(ops)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
}

// BenchmarkPeak is what one core can do at most: one tile whose operands stay in
// the first cache line.
func BenchmarkPeak(b *testing.B) {
	for _, v := range variants {
		b.Run(v.name, func(b *testing.B) {
			const k = 1 << 14
			g := v.gemm
			x, y := noise(1, 64, 1), make([]float32, g.high*g.wide)
			for b.Loop() {
				g.tile(g.high, g.wide, k, x, 1, 0, x, 0, y, g.wide, false)
			}
			report(b, 2*g.high*g.wide*k)
		})
	}
}

func BenchmarkGemm(b *testing.B) {
	shapes := []struct{ rows, k, cols int }{
		{1920, 256, 768}, {1920, 1024, 256}, {256, 1920, 768}, {1024, 1024, 1024}, {256, 64, 192}, {32, 256, 1024}, {1, 256, 1024},
	}
	for _, layout := range []string{"nn", "nt", "tn"} {
		for _, s := range shapes {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", layout, s.rows, s.k, s.cols), func(b *testing.B) {
				c := gemmCase{rows: s.rows, cols: s.cols, k: s.k, transA: layout == "tn", transB: layout == "nt"}
				x, y := c.dense()
				out := Dense(make([]float32, s.rows*s.cols), s.rows, s.cols)
				for _, procs := range []int{1, 2} {
					b.Run(fmt.Sprint("procs_", procs), func(b *testing.B) {
						defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
						b.ReportAllocs()
						for b.Loop() {
							Gemm(out, x, y, c.transA, c.transB, false)
						}
						report(b, 2*s.rows*s.cols*s.k)
					})
				}
			})
		}
	}
}

// dense returns operands of c's shapes.
func (c gemmCase) dense() (a, b Matrix) {
	a, b = Dense(noise(1, c.rows*c.k, 1), c.rows, c.k), Dense(noise(2, c.k*c.cols, 1), c.k, c.cols)
	if c.transA {
		a.Rows, a.Cols, a.Stride = c.k, c.rows, c.rows
	}
	if c.transB {
		b.Rows, b.Cols, b.Stride = c.cols, c.k, c.k
	}
	return a, b
}

// BenchmarkLookup counts the operations of the product that it takes the place of.
func BenchmarkLookup(b *testing.B) {
	shapes := []struct{ rows, k, cols int }{{1920, 768, 256}, {1920, 256, 1024}, {1920, 1024, 256}, {1024, 2048, 512}, {1024, 512, 2048}, {256, 192, 64}}
	for _, bits := range []int{1, 2} {
		for _, s := range shapes {
			x, codes := Dense(noise(1, s.rows*s.k, 1), s.rows, s.k), Dense(lookupCodes(s.cols*s.k, bits), s.cols, s.k)
			out, l := Dense(make([]float32, s.rows*s.cols), s.rows, s.cols), NewLookup(s.cols, s.k, bits)
			for _, procs := range []int{1, 2} {
				for name, run := range map[string]func(){
					"lookup": func() { l.Multiply(out, x, unit, false) },
					"gemm":   func() { Gemm(out, x, codes, false, true, false) },
				} {
					b.Run(fmt.Sprintf("bits_%d/%dx%dx%d/%s/procs_%d", bits, s.rows, s.k, s.cols, name, procs), func(b *testing.B) {
						defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
						l.SetCodes(codes)
						for b.Loop() {
							run()
						}
						report(b, 2*s.rows*s.cols*s.k)
					})
				}
			}
		}
	}
}
