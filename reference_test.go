package qat_test

import (
	"fmt"
	"math"

	"github.com/qat-go/qat"
)

// This file is a transformer in float64, written from the formulas with no use of
// the package's code, to hold the package against. What is quantized enters as
// given values whose gradient passes straight through.

// mat is a float64 matrix and its gradient.
type mat struct {
	rows, cols int
	v, d       []float64
}

func newMat(rows, cols int) *mat {
	return &mat{rows, cols, make([]float64, rows*cols), make([]float64, rows*cols)}
}

func matOf(rows, cols int, v []float32) *mat {
	return &mat{rows, cols, toFloat64(v), make([]float64, rows*cols)}
}

func (m *mat) row(i int) (v, d []float64) {
	return m.v[i*m.cols : (i+1)*m.cols], m.d[i*m.cols : (i+1)*m.cols]
}

// tape64 records how to go back.
type tape64 struct{ steps []func() }

func (t *tape64) back() {
	for i := len(t.steps) - 1; i >= 0; i-- {
		t.steps[i]()
	}
}

// straight returns a matrix of the given values whose gradient goes to x as it is.
func (t *tape64) straight(x *mat, v []float64) *mat {
	y := &mat{x.rows, x.cols, v, make([]float64, len(v))}
	t.steps = append(t.steps, func() { addTo(x.d, y.d) })
	return y
}

func addTo(y, x []float64) {
	for i, v := range x {
		y[i] += v
	}
}

func (t *tape64) add(a, b *mat) *mat {
	y := newMat(a.rows, a.cols)
	for i := range y.v {
		y.v[i] = a.v[i] + b.v[i]
	}
	t.steps = append(t.steps, func() { addTo(a.d, y.d); addTo(b.d, y.d) })
	return y
}

func (t *tape64) linear(x, w, b *mat) *mat {
	y := newMat(x.rows, w.cols)
	for i := range x.rows {
		for j := range w.cols {
			sum := b.v[j]
			for k := range w.rows {
				sum += x.v[i*x.cols+k] * w.v[k*w.cols+j]
			}
			y.v[i*w.cols+j] = sum
		}
	}
	t.steps = append(t.steps, func() {
		for i := range x.rows {
			for j := range w.cols {
				d := y.d[i*w.cols+j]
				b.d[j] += d
				for k := range w.rows {
					x.d[i*x.cols+k] += d * w.v[k*w.cols+j]
					w.d[k*w.cols+j] += d * x.v[i*x.cols+k]
				}
			}
		}
	})
	return y
}

func (t *tape64) norm(x, gain, bias *mat) *mat {
	const eps = 1e-5
	y := newMat(x.rows, x.cols)
	n := float64(x.cols)
	for i := range x.rows {
		xv, xd := x.row(i)
		yv, yd := y.row(i)
		var mean, variance float64
		for _, v := range xv {
			mean += v / n
		}
		for _, v := range xv {
			variance += (v - mean) * (v - mean) / n
		}
		r := 1 / math.Sqrt(variance+eps)
		for j, v := range xv {
			yv[j] = (v-mean)*r*gain.v[j] + bias.v[j]
		}
		t.steps = append(t.steps, func() {
			var dr, dmean float64
			for j, d := range yd {
				c := xv[j] - mean
				gain.d[j] += d * c * r
				bias.d[j] += d
				dr += d * gain.v[j] * c
				dmean -= d * gain.v[j] * r
			}
			dvariance := dr * -0.5 * r * r * r
			for j, d := range yd {
				xd[j] += d*gain.v[j]*r + dmean/n + dvariance*2*(xv[j]-mean)/n
			}
		})
	}
	return y
}

func (t *tape64) silu(x *mat) *mat {
	y := newMat(x.rows, x.cols)
	for i, v := range x.v {
		y.v[i] = v / (1 + math.Exp(-v))
	}
	t.steps = append(t.steps, func() {
		for i, v := range x.v {
			s := 1 / (1 + math.Exp(-v))
			x.d[i] += y.d[i] * (s + v*s*(1-s))
		}
	})
	return y
}

// rotate turns every head of a third of qkv by its position.
func (t *tape64) rotate(x *mat, steps, heads int) *mat {
	y := newMat(x.rows, x.cols)
	size := x.cols / heads
	half := size / 2
	for i := range x.rows {
		for j := range x.cols {
			h, k := j/size*size, j%size
			angle := float64(i%steps) * math.Pow(10000, -2*float64(k%half)/float64(size))
			c, s := math.Cos(angle), math.Sin(angle)
			a, b, sign := i*x.cols+h+k, i*x.cols+h+(k+half)%size, 1.0
			if k < half {
				sign = -1
			}
			y.v[a] = x.v[a]*c + sign*x.v[b]*s
			t.steps = append(t.steps, func() { x.d[a] += y.d[a] * c; x.d[b] += sign * y.d[a] * s })
		}
	}
	return y
}

// third returns the n-th third of the columns.
func (t *tape64) third(x *mat, n int) *mat {
	c := x.cols / 3
	y := newMat(x.rows, c)
	for i := range x.rows {
		copy(y.v[i*c:(i+1)*c], x.v[i*x.cols+n*c:])
	}
	t.steps = append(t.steps, func() {
		for i := range x.rows {
			addTo(x.d[i*x.cols+n*c:][:c], y.d[i*c:(i+1)*c])
		}
	})
	return y
}

func (t *tape64) attention(q, k, v *mat, steps, heads int) *mat {
	y := newMat(q.rows, q.cols)
	size := q.cols / heads
	scale := 1 / math.Sqrt(float64(size))
	at := func(x []float64, row, head int) []float64 { return x[row*q.cols+head*size:][:size] }
	for row := range q.rows {
		first := row / steps * steps
		for h := range heads {
			w := make([]float64, row-first+1)
			var sum float64
			for j := range w {
				w[j] = math.Exp(dot(at(q.v, row, h), at(k.v, first+j, h)) * scale)
				sum += w[j]
			}
			for j := range w {
				w[j] /= sum
				for i, x := range at(v.v, first+j, h) {
					at(y.v, row, h)[i] += w[j] * x
				}
			}
			t.steps = append(t.steps, func() {
				d := at(y.d, row, h)
				mean := dot(d, at(y.v, row, h))
				for j := range w {
					ds := w[j] * (dot(d, at(v.v, first+j, h)) - mean) * scale
					for i := range d {
						at(v.d, first+j, h)[i] += w[j] * d[i]
						at(q.d, row, h)[i] += ds * at(k.v, first+j, h)[i]
						at(k.d, first+j, h)[i] += ds * at(q.v, row, h)[i]
					}
				}
			})
		}
	}
	return y
}

func dot(x, y []float64) (sum float64) {
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}

// model64 is a float64 model of the parameters and the quantized layers' inputs
// that a graph had.
type model64 struct {
	tape64
	m      *qat.Model
	params map[string]*mat
	// seen are the float32 values of the graph's nodes that enter quantized layers.
	seen map[string][]float32
}

func newModel64(m *qat.Model, seen map[string][]float32) *model64 {
	r := &model64{m: m, params: map[string]*mat{}, seen: seen}
	for _, p := range m.Params() {
		shape := p.Node.Shape()
		r.params[p.Name] = matOf(shape.TotalSize()/shape[len(shape)-1], shape[len(shape)-1], ok(m.ParamValue(p.Name)))
	}
	return r
}

// run returns the output for x [B*T, E].
func (r *model64) run(x *mat) *mat {
	s := r.m.Spec()
	h := x
	if s.EmbedDim != s.HiddenSize {
		h = r.linear(x, r.params["input_projection.weight"], r.params["input_projection.bias"])
	}
	if s.Positions == qat.Learned {
		h = r.positions(h, r.params["positions.weight"])
	}
	for i := range s.NumLayers {
		path := fmt.Sprintf("blocks.%d.", i)
		a := r.normed(h, path+"attn_norm")
		a = r.quantLinear(a, path+"attn.qkv", path+"attn_norm:layer_norm")
		q, k, v := r.third(a, 0), r.third(a, 1), r.third(a, 2)
		if s.Positions == qat.Rotary {
			q, k = r.rotate(q, s.WindowSize, s.NumHeads), r.rotate(k, s.WindowSize, s.NumHeads)
		}
		a = r.attention(q, k, v, s.WindowSize, s.NumHeads)
		h = r.add(h, r.quantLinear(a, path+"attn.out", path+"attn:attention"))
		f := r.normed(h, path+"ffn_norm")
		f = r.silu(r.quantLinear(f, path+"ffn.up", path+"ffn_norm:layer_norm"))
		h = r.add(h, r.quantLinear(f, path+"ffn.down", path+"ffn:silu"))
	}
	return r.pool(r.normed(h, "final_norm"))
}

func (r *model64) normed(x *mat, path string) *mat {
	return r.norm(x, r.params[path+".weight"], r.params[path+".bias"])
}

func (r *model64) positions(x, w *mat) *mat {
	y := newMat(x.rows, x.cols)
	for i := range y.v {
		y.v[i] = x.v[i] + w.v[i%len(w.v)]
	}
	r.steps = append(r.steps, func() {
		addTo(x.d, y.d)
		for i, d := range y.d {
			w.d[i%len(w.v)] += d
		}
	})
	return y
}

func (r *model64) quantLinear(x *mat, path, node string) *mat {
	s := r.m.Spec()
	w := r.params[path+".weight"]
	mode := s.ModeOf(path)
	what, _ := byChannel(s.Granularity, ok(r.m.ParamValue(path+".weight")), w.cols, func(w []float32) ([]float64, float64) { return quantizedWeight(w, mode), 0 })
	w = r.straight(w, what)
	if mode != qat.Float && s.Activations == qat.Int8Activations {
		// Codes are taken of the graph's values: a rounding error of 1e-7 must not
		// become a code. Of a trimmed block only the last rows were computed, and
		// only those matter.
		seen := r.seen[node]
		rows := len(seen) / x.cols
		v := append([]float64(nil), x.v...)
		for i := range rows {
			row := seen[i*x.cols : (i+1)*x.cols]
			at := (i + 1) * x.rows / rows * x.cols // the end of the row's place
			for j, xhat := range quantizedRow(row) {
				v[at-x.cols+j] += xhat - float64(row[j])
			}
		}
		x = r.straight(x, v)
	}
	return r.linear(x, w, r.params[path+".bias"])
}

func (r *model64) pool(x *mat) *mat {
	s := r.m.Spec()
	if s.Pooling == qat.AllTimesteps {
		return x
	}
	from, share := s.WindowSize-1, 1.0
	if s.Pooling == qat.Mean {
		from, share = 0, 1/float64(s.WindowSize)
	}
	y := newMat(x.rows/s.WindowSize, x.cols)
	for i := range x.rows {
		if i%s.WindowSize < from {
			continue
		}
		xv, xd := x.row(i)
		yv, yd := y.row(i / s.WindowSize)
		for j, v := range xv {
			yv[j] += v * share
		}
		r.steps = append(r.steps, func() {
			for j, d := range yd {
				xd[j] += d * share
			}
		})
	}
	return y
}

// byChannel applies a rule to w [in, out], or to each of its columns; the rule's
// number is returned for each element.
func byChannel(g qat.Granularity, w []float32, out int, rule func(w []float32) ([]float64, float64)) (values, numbers []float64) {
	values, numbers = make([]float64, len(w)), make([]float64, len(w))
	step := map[qat.Granularity]int{qat.PerTensor: 1, qat.PerChannel: out}[g]
	for j := range step {
		var part []float32
		for i := j; i < len(w); i += step {
			part = append(part, w[i])
		}
		v, n := rule(part)
		for k := range part {
			values[j+k*step], numbers[j+k*step] = v[k], n
		}
	}
	return values, numbers
}

// quantizedWeight is scale*code by the rules of the BitNet numerics.
func quantizedWeight(w []float32, mode qat.Mode) []float64 {
	var sum, largest float64
	for _, v := range w {
		sum += math.Abs(float64(v))
		largest = max(largest, math.Abs(float64(v)))
	}
	mean := float32(sum / float64(len(w)))
	out := make([]float64, len(w))
	for i, v := range w {
		switch mode {
		case qat.Float:
			out[i] = float64(v)
		case qat.Binary:
			out[i] = float64(mean)
			if v < 0 {
				out[i] = -float64(mean)
			}
		case qat.Ternary:
			s := max(mean, 1e-5)
			out[i] = max(-1, min(1, math.RoundToEven(float64(v/s)))) * float64(s)
		case qat.Int4:
			s := max(float32(largest), 1e-5) / 7
			out[i] = max(-7, min(7, math.RoundToEven(float64(v/s)))) * float64(s)
		case qat.Int8:
			s := max(float32(largest), 1e-5) / 127
			out[i] = max(-127, min(127, math.RoundToEven(float64(v/s)))) * float64(s)
		}
	}
	return out
}

// quantizedRow is scale*code of one token's int8 activations.
func quantizedRow(x []float32) []float64 {
	var largest float32
	for _, v := range x {
		largest = max(largest, v, -v)
	}
	s := max(largest, 1e-5) / 127
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.RoundToEven(float64(v/s)) * float64(s)
	}
	return out
}
