package kernel

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// intCase is a layer and rows for it.
type intCase struct {
	rows, in, out, bits int
	seed                uint64
}

// topCode is the largest code of so many bits.
func topCode(bits int) int8 {
	if bits == 1 {
		return 1
	}
	return 1<<(bits-1) - 1
}

// codes are [out, in].
func (c intCase) codes() []int8 {
	w := codes8(c.seed+1, c.out*c.in, int(topCode(c.bits)))
	for i := range w {
		if c.bits == 1 && w[i] == 0 {
			w[i] = -1
		}
	}
	return w
}

// layers are the layer made of codes in each way.
func (c intCase) layers(codes []int8) map[string]*IntLayer {
	columns := make([]float32, c.in*c.out)
	for o := range c.out {
		for k := range c.in {
			columns[k*c.out+o] = float32(codes[o*c.in+k])
		}
	}
	open := NewIntLayer(c.in, c.out, c.bits)
	open.SetColumns(Dense(columns, c.in, c.out))
	return map[string]*IntLayer{"packed": PackIntLayer(codes, c.in, c.out, c.bits), "open": open}
}

// input has rows of codes, with scales of many sizes.
func (c intCase) input() IntRows {
	x := NewIntRows(c.rows, c.in)
	codes, scales := codes8(c.seed+2, c.rows*c.in, 127), noise(c.seed+3, c.rows, 1)
	for i := range c.rows {
		row := x.Codes[i*IntStride(c.in):]
		copy(row, codes[i*c.in:(i+1)*c.in])
		for _, v := range row[:c.in] {
			x.Sums[i] += int32(v)
		}
		x.Scales[i] = scales[i]
	}
	return x
}

// want is the layer's definition, in sums that hold anything.
func (c intCase) want(codes []int8, x IntRows, scales, bias []float32) []float32 {
	y := []float32{}
	for i := range c.rows {
		for o := range c.out {
			var acc int64
			for k := range c.in {
				acc += int64(x.Codes[i*IntStride(c.in)+k]) * int64(codes[o*c.in+k])
			}
			y = append(y, add32(mul32(float32(acc), mul32(x.Scales[i], scales[o%len(scales)])), bias[o]))
		}
	}
	return y
}

func (c intCase) String() string {
	return fmt.Sprintf("%d bits, %dx%dx%d", c.bits, c.rows, c.in, c.out)
}

// check compares a layer with its definition, in an output with margins.
func (c intCase) check(t *testing.T) {
	t.Helper()
	codes, x, bias := c.codes(), c.input(), noise(c.seed+4, c.out, 3)
	for _, scales := range [][]float32{noise(c.seed+5, 1, 1), noise(c.seed+6, max(c.out, 1), 1)} {
		want := c.want(codes, x, scales, bias)
		for name, l := range c.layers(codes) {
			l.SetScales(scales, bias)
			for _, parallel := range []bool{false, true} {
				y := guarded(t, c.rows*(c.out+3))
				m := Matrix{Data: y, Rows: c.rows, Cols: c.out, Stride: c.out + 3}
				if parallel {
					l.ForwardParallel(m, x, 0, 1)
				} else {
					l.Forward(m, x, 0, 1)
				}
				for i := range c.rows {
					row := y[i*m.Stride : (i+1)*m.Stride]
					sameBits(t, want[i*c.out:(i+1)*c.out], row[:c.out], "%v, %s, row %d", c, name, i)
					for _, v := range row[c.out:] {
						require.Equal(t, uint32(poison), math.Float32bits(v), "%v, %s, row %d: written beside", c, name, i)
					}
				}
			}
		}
	}
}

func TestIntLayer(t *testing.T) {
	heights, outs := []int{0, 1, 2, 3, 4, 5, 11, 12, 13, 25}, []int{1, 15, 16, 17, 31, 32, 33, 65}
	if testing.Short() { // an emulator takes its time
		heights, outs = []int{0, 1, 5, 13}, []int{1, 17, 33}
	}
	eachVariant(t, func(t *testing.T) {
		for _, bits := range []int{1, 2, 4, 8} {
			for _, rows := range heights {
				for _, in := range []int{1, 3, 4, 31, 32, 33, 67} {
					for _, out := range outs {
						intCase{rows, in, out, bits, uint64(rows*in + out)}.check(t)
					}
				}
			}
			for _, c := range []intCase{{97, 256, 131, bits, 7}, {193, 64, 192, bits, 8}, {5, 1040, 37, bits, 9}, {2, 2048, 64, bits, 10}, {1, 67, 129, bits, 12}, {1, 4096, 64, bits, 14}, {3, 256, 192, bits, 13}, {13, 4096, 33, bits, 11}} {
				c.check(t)
			}
		}
	})
}

// Rows are read where first and every say.
func TestIntLayer_every(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, every := range []int{1, 2, 7} {
			for _, first := range []int{0, 1, 6} {
				c := intCase{rows: 3*every + first, in: 37, out: 45, bits: 2, seed: 3}
				codes, x, scales, bias := c.codes(), c.input(), noise(1, c.out, 1), noise(2, c.out, 1)
				want := c.want(codes, x, scales, bias)
				for _, l := range c.layers(codes) {
					l.SetScales(scales, bias)
					y := guarded(t, 3*c.out)
					l.Forward(Dense(y, 3, c.out), x, first, every)
					for i := range 3 {
						row := first + i*every
						sameBits(t, want[row*c.out:(row+1)*c.out], y[i*c.out:(i+1)*c.out], "row %d of %d, every %d", i, first, every)
					}
				}
			}
		}
	})
}

// The largest sums that codes can have, at the most inputs, are exact.
func TestIntLayer_largest(t *testing.T) {
	const out = 67
	eachVariant(t, func(t *testing.T) {
		for _, bits := range []int{1, 2, 4, 8} {
			for _, in := range []int{1041, 4096, 131072, MaxInt8In} {
				for _, sign := range []int8{1, -1} {
					c := intCase{rows: 5, in: in, out: out, bits: bits}
					codes, x := make([]int8, out*in), NewIntRows(c.rows, in)
					for i := range codes {
						codes[i] = topCode(bits)
					}
					for i := range c.rows {
						row := x.Codes[i*IntStride(in):][:in]
						for k := range row {
							row[k] = 127 * sign
						}
						row[in-1] = 101 // a sum that is no multiple of 127
						x.Sums[i], x.Scales[i] = int32(sign)*127*int32(in-1)+101, 1
					}
					one, bias, y := []float32{1}, make([]float32, out), make([]float32, c.rows*out)
					l := PackIntLayer(codes, in, out, bits)
					l.SetScales(one, bias)
					l.Forward(Dense(y, c.rows, out), x, 0, 1)
					assert.Equal(t, float32(int64(topCode(bits))*int64(x.Sums[0])), y[7], "%d bits, %d inputs", bits, in)
					sameBits(t, y[:out], y[out:2*out], "%d bits, %d inputs", bits, in)
					l.Forward(Dense(y, 1, out), x, 0, 1)
					sameBits(t, y[out:2*out], y[:out], "one row, %d bits, %d inputs", bits, in)
				}
			}
		}
	})
	assert.PanicsWithValue(t, fmt.Sprintf("kernel: int8 layer of %d inputs, an int32 holds the sums of %d", MaxInt8In+1, MaxInt8In), func() {
		NewIntLayer(MaxInt8In+1, 1, 8)
	})
}

// The float32 product of the same codes is the same where it is exact.
func TestIntLayer_gemm(t *testing.T) {
	c := intCase{rows: 41, in: 1040, out: 67, bits: 8, seed: 5}
	codes, x := c.codes(), c.input()
	xf, wf, want := make([]float32, c.rows*c.in), make([]float32, c.in*c.out), make([]float32, c.rows*c.out)
	for i := range c.rows {
		for k, v := range x.Codes[i*IntStride(c.in):][:c.in] {
			xf[i*c.in+k] = float32(v)
		}
		x.Scales[i] = 1
	}
	for o := range c.out {
		for k := range c.in {
			wf[k*c.out+o] = float32(codes[o*c.in+k])
		}
	}
	eachVariant(t, func(t *testing.T) {
		Gemm(Dense(want, c.rows, c.out), Dense(xf, c.rows, c.in), Dense(wf, c.in, c.out), false, false, false)
		for name, l := range c.layers(codes) {
			l.SetScales([]float32{1}, make([]float32, c.out))
			got := make([]float32, len(want))
			l.ForwardParallel(Dense(got, c.rows, c.out), x, 0, 1)
			assert.Equal(t, want, got, name)
		}
	})
}

// Whatever the number of threads, the outputs are the same.
func TestIntLayer_threads(t *testing.T) {
	c := intCase{rows: 500, in: 256, out: 300, bits: 2, seed: 6}
	codes, x, scales, bias := c.codes(), c.input(), noise(1, c.out, 1), noise(2, c.out, 1)
	want := c.want(codes, x, scales, bias)
	for name, l := range c.layers(codes) {
		l.SetScales(scales, bias)
		withProcs(func(procs int) {
			y := make([]float32, len(want))
			l.ForwardParallel(Dense(y, c.rows, c.out), x, 0, 1)
			sameBits(t, want, y, "%s, %d threads", name, procs)
		})
	}
}

func TestIntLayer_inputsStay(t *testing.T) {
	c := intCase{rows: 13, in: 37, out: 35, bits: 4, seed: 4}
	codes, x := c.codes(), c.input()
	eachVariant(t, func(t *testing.T) {
		for _, l := range c.layers(codes) {
			panels, before := bytes.Clone(l.panels), c.input()
			y := make([]float32, c.rows*c.out)
			l.Forward(Dense(y, c.rows, c.out), x, 0, 1)
			l.Forward(Dense(y, 1, c.out), x, 0, 1)
			assert.Equal(t, before, x)
			assert.Equal(t, panels, l.panels)
		}
	})
}

func TestIntLayer_allocations(t *testing.T) {
	c := intCase{rows: 13, in: 61, out: 35, bits: 2}
	x, y := c.input(), make([]float32, c.rows*c.out)
	eachVariant(t, func(t *testing.T) {
		for name, l := range c.layers(c.codes()) {
			for _, rows := range []int{1, c.rows} {
				assert.Zero(t, testing.AllocsPerRun(10, func() { l.Forward(Dense(y, rows, c.out), x, 0, 1) }), name)
			}
		}
	})
}

func TestIntLayer_short(t *testing.T) {
	l := NewIntLayer(37, 35, 2)
	x, y := NewIntRows(11, 37), Dense(make([]float32, 11*35), 11, 35)
	panicsWith(t, "codes", 10*64, 11*64, func() { l.Forward(y, IntRows{x.Codes[64:], x.Scales, x.Sums}, 0, 1) })
	panicsWith(t, "scales", 10, 11, func() { l.Forward(y, IntRows{x.Codes, x.Scales[1:], x.Sums}, 0, 1) })
	panicsWith(t, "sums", 10, 11, func() { l.Forward(y, IntRows{x.Codes, x.Scales, x.Sums[1:]}, 0, 1) })
	panicsWith(t, "first", 11*64, 12*64, func() { l.Forward(y, x, 1, 1) })
	panicsWith(t, "output", 11*35-1, 11*35, func() { l.Forward(Matrix{y.Data[1:], 11, 35, 35}, x, 0, 1) })
	panicsWith(t, "columns", 34, 35, func() { l.Forward(y.Columns(0, 34), x, 0, 1) })
	panicsWith(t, "row's input", 32, 64, func() { l.ForwardRow(y.Data, &IntRows{x.Codes[:32], x.Scales, x.Sums}) })
	panicsWith(t, "row's output", 34, 35, func() { l.ForwardRow(y.Data[:34], &x) })
	panicsWith(t, "row's scales", 0, 1, func() { l.ForwardRow(y.Data, &IntRows{x.Codes, nil, x.Sums}) })
	panicsWith(t, "row's sums", 0, 1, func() { l.ForwardRow(y.Data, &IntRows{x.Codes, x.Scales, nil}) })
	panicsWith(t, "bias", 34, 35, func() { l.SetScales([]float32{1}, make([]float32, 34)) })
	panicsWith(t, "scales", 34, 35, func() { l.SetScales(make([]float32, 34), make([]float32, 35)) })
	panicsWith(t, "packed", 35*37-1, 35*37, func() { PackIntLayer(make([]int8, 35*37-1), 37, 35, 2) })
	panicsWith(t, "rows", 36, 37, func() { l.SetColumns(Dense(make([]float32, 36*35), 36, 35)) })
	panicsWith(t, "columns", 34, 35, func() { l.SetColumns(Dense(make([]float32, 37*34), 37, 34)) })
}

// FuzzIntLayer holds every variant against the definition.
func FuzzIntLayer(f *testing.F) {
	f.Add(uint8(2), uint16(13), uint16(67), uint16(45), uint64(1))
	f.Fuzz(func(t *testing.T, bits uint8, rows, in, out uint16, seed uint64) {
		c := intCase{int(rows % 200), 1 + int(in%500), 1 + int(out%200), []int{1, 2, 4, 8}[bits%4], seed}
		eachVariant(t, func(t *testing.T) { c.check(t) })
	})
}

// BenchmarkIntPeak is what one core can do at most: one tile whose operands stay in
// the first cache.
func BenchmarkIntPeak(b *testing.B) {
	const rows, in = 12, 512
	for _, v := range variants {
		b.Run(v.name, func(b *testing.B) {
			x, sums, scales := make([]int8, rows*in), make([]int32, rows), make([]float32, rows)
			w, factors, y := make([]uint8, panelOuts*in), make([]float32, panelOuts), make([]float32, rows*panelOuts)
			for i := range x {
				x[i] = int8(i)
			}
			for b.Loop() {
				v.ints.tile(rows, panelOuts, in/panelIns, x, in, w, sums, 1, scales, 1, factors, factors, y, panelOuts)
			}
			report(b, 2*rows*in*panelOuts)
		})
	}
}

func BenchmarkIntLayer(b *testing.B) {
	for _, v := range variants {
		for _, bits := range []int{1, 2, 4, 8} {
			for _, c := range []intCase{{1, 256, 1024, bits, 1}, {60, 256, 1024, bits, 1}, {60, 1024, 256, bits, 1}, {1920, 256, 1024, bits, 1}} {
				for name, l := range c.layers(c.codes()) {
					b.Run(fmt.Sprintf("%s/%s/%dbits/%dx%dx%d", v.name, name, bits, c.rows, c.in, c.out), func(b *testing.B) {
						defer func(before variant) { chosen = before }(chosen)
						chosen = v
						x, y := c.input(), Dense(make([]float32, c.rows*c.out), c.rows, c.out)
						for b.Loop() {
							l.Forward(y, x, 0, 1)
						}
						report(b, 2*c.rows*c.in*c.out)
					})
				}
			}
		}
	}
}

// BenchmarkIntRowMemory is one token against a 4096x4096 ternary layer, another one each
// time, of more than caches hold; beside it, what reading so much memory takes.
func BenchmarkIntRowMemory(b *testing.B) {
	const size, layers = 4096, 96 // 4 MiB each
	c := intCase{1, size, size, 2, 1}
	first := PackIntLayer(c.codes(), size, size, 2)
	all := make([]*IntLayer, layers)
	for i := range all {
		l := *first
		l.panels = bytes.Clone(first.panels)
		all[i] = &l
	}
	report := func(b *testing.B) {
		b.ReportMetric(float64(len(first.panels))*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
	}
	b.Run("row", func(b *testing.B) {
		x, y, i := c.input(), Dense(make([]float32, size), 1, size), 0
		for b.Loop() {
			all[i%layers].Forward(y, x, 0, 1)
			i++
		}
		report(b)
	})
	b.Run("read", func(b *testing.B) {
		memory := make([][]float32, layers)
		for i := range memory {
			memory[i] = noise(uint64(i), len(first.panels)/4, 1)
		}
		i := 0
		for b.Loop() {
			MaxAbsBits(memory[i%layers])
			i++
		}
		report(b)
	})
}
