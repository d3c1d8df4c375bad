package qat_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

const (
	// layerTolerance bounds the error of float32 sums of some dozens of products,
	// relative to the largest element.
	layerTolerance = 2e-6
	// modelTolerance bounds the same through two blocks: some twenty such sums in
	// a row, and norms that divide.
	modelTolerance = 5e-5
)

// layerCase is one way to quantize a layer.
type layerCase struct {
	mode        qat.Mode
	activations spec.Activations
	ste         spec.STE
	numerics    spec.Numerics
	granularity qat.Granularity
	float       float64 // the part of the operands that is not quantized yet
}

func (c layerCase) String() string {
	name := fmt.Sprintf("%v/%v/%v/%v/%v", c.mode, c.numerics, c.activations, c.ste, c.granularity)
	if c.float > 0 {
		name += fmt.Sprintf("/%v float", c.float)
	}
	return name
}

func (c layerCase) options() []qat.Option {
	return []qat.Option{qat.WithQuantize(c.mode), qat.WithActivations(c.activations), qat.WithSTE(c.ste), qat.WithNumerics(c.numerics), qat.WithGranularity(c.granularity)}
}

func layerCases() (cases []layerCase) {
	for _, mode := range modes {
		for _, a := range []spec.Activations{qat.Int8Activations, qat.FloatActivations} {
			for _, g := range granularities {
				cases = append(cases, layerCase{mode, a, qat.Identity, qat.BitNet, g, 0})
			}
		}
		cases = append(cases, layerCase{mode, qat.FloatActivations, qat.Identity, qat.Edifice, qat.PerTensor, 0})
	}
	for _, mode := range []qat.Mode{qat.Binary, qat.Ternary} {
		for _, g := range granularities {
			cases = append(cases, layerCase{mode, qat.Int8Activations, qat.Clipped, qat.BitNet, g, 0})
		}
		cases = append(cases, layerCase{mode, qat.FloatActivations, qat.Clipped, qat.Edifice, qat.PerTensor, 0})
	}
	for _, c := range slices.Clone(cases) {
		if c.mode != qat.Float {
			c.float = 0.75
			cases = append(cases, c)
		}
	}
	return cases
}

// edificeWeight is the weight by the rules of the Edifice numerics, and what it is
// divided by.
func edificeWeight(w []float32, mode qat.Mode) (out []float64, scale float64) {
	var sum, largest float64
	for _, v := range w {
		sum += math.Abs(float64(v))
		largest = max(largest, math.Abs(float64(v)))
	}
	q := map[qat.Mode]float64{qat.Int4: 7, qat.Int8: 127}[mode]
	for _, v := range toFloat64(w) {
		switch mode {
		case qat.Binary:
			scale = 1
			v = math.Copysign(1, v)
		case qat.Ternary:
			scale = sum/float64(len(w)) + 1e-6
			v = max(-1, min(1, math.Round(v/scale)))
		case qat.Int4, qat.Int8:
			scale = largest + 1e-6
			v = math.Round(v/scale*q) / q * scale
		}
		out = append(out, v)
	}
	return out, scale
}

// weight is a weight as it enters the product, and what the clipped estimator
// compares each of its elements with.
func (c layerCase) weight(w []float32, out int) (values, scales []float64) {
	return byChannel(c.granularity, w, out, func(w []float32) ([]float64, float64) {
		if c.numerics == qat.Edifice {
			return edificeWeight(w, c.mode)
		}
		var scale float64
		for _, v := range w {
			scale += math.Abs(float64(v)) / float64(len(w))
		}
		return quantizedWeight(w, c.mode), scale
	})
}

// closedForm is a layer's output and gradients: dX = dY*ŵᵀ, dW = x̂ᵀ*dY (clipped
// or not), db = the column sums of dY.
func closedForm(c layerCase, x, w, b []float32, rows, in, out int, dy []float32) (y, dx, dw, db []float64) {
	what, scales := c.weight(w, out)
	xhat := toFloat64(x)
	if c.mode != qat.Float && c.activations == qat.Int8Activations {
		for i := range rows {
			copy(xhat[i*in:], quantizedRow(x[i*in:(i+1)*in]))
		}
	}
	for i, v := range x {
		xhat[i] = c.float*float64(v) + (1-c.float)*xhat[i]
	}
	for i, v := range w {
		what[i] = c.float*float64(v) + (1-c.float)*what[i]
	}
	var t tape64
	xm, wm := &mat{rows, in, xhat, make([]float64, rows*in)}, &mat{in, out, what, make([]float64, in*out)}
	bm := matOf(1, out, b)
	ym := t.linear(xm, wm, bm)
	copy(ym.d, toFloat64(dy))
	t.back()
	if c.ste == qat.Clipped {
		for i, v := range w {
			if math.Abs(float64(v)) > scales[i] {
				wm.d[i] *= c.float
			}
		}
	}
	return ym.v, xm.d, wm.d, bm.d
}

func TestQuantLinearGradient(t *testing.T) {
	const batch, steps = 11, 13
	cases := layerCases()
	for i := range 2 * len(cases) {
		c, in, out := cases[i/2], 17, 19
		if i%2 == 1 {
			in, out = 101, 67 // wide enough for every way to compute it
		}
		if c.mode == qat.Float && c.activations == qat.Int8Activations {
			continue // a fault: float weights have float inputs
		}
		t.Run(fmt.Sprintf("%v/%dx%d", c, in, out), func(t *testing.T) {
			g := G.NewGraph()
			x := random(g, 1, "x", batch, steps, in)
			l, err := qat.QuantLinear(x, out, c.options()...)
			require.NoError(t, err)
			scatter(t, l, 2)
			l.SetQuantization(1 - c.float)
			circuit := circuit{out: l.Output(), leaves: append(l.Learnables(), x)}
			got, grads := gradients(t, "tape", circuit)
			w, b := ok(l.ParamValue("quant_linear.weight")), ok(l.ParamValue("quant_linear.bias"))
			y, dx, dw, db := closedForm(c, floats(x.Value()), w, b, batch*steps, in, out, circuit.upstream())
			requireClose(t, "output", got, y, layerTolerance)
			requireClose(t, "weight's gradient", grads[0], dw, layerTolerance)
			requireClose(t, "bias's gradient", grads[1], db, layerTolerance)
			requireClose(t, "input's gradient", grads[2], dx, layerTolerance)
			if c.ste == qat.Clipped && c.mode == qat.Ternary && c.float == 0 {
				require.Contains(t, dw, 0.0, "the case clips nothing")
			}
		})
	}
}

// TestSetQuantization: with none of it a layer in training is the float one, to the bit; in
// evaluation, and with more than all of it, the quantized one.
func TestSetQuantization(t *testing.T) {
	run := func(mode qat.Mode, part float64, training bool) (out []float32, grads [][]float32) {
		x := random(G.NewGraph(), 1, "x", 11, 17)
		l := ok(qat.QuantLinear(x, 13, qat.WithQuantize(mode)))
		scatter(t, l, 2)
		l.SetQuantization(part)
		l.SetTraining(training)
		return gradients(t, "lisp", circuit{out: l.Output(), leaves: append(l.Learnables(), x)})
	}
	for _, mode := range modes {
		for _, c := range []struct {
			what     string
			part     float64
			training bool
			as       qat.Mode
		}{{"none", -1, true, qat.Float}, {"evaluation", 0, false, mode}, {"all", 3, true, mode}} {
			got, grads := run(mode, c.part, c.training)
			want, wantGrads := run(c.as, 1, true)
			requireBits(t, fmt.Sprint(mode, ", ", c.what), got, want)
			for i := range grads {
				requireBits(t, fmt.Sprint(mode, ", ", c.what, ", gradient ", i), grads[i], wantGrads[i])
			}
		}
	}
}

// FakeQuantize passes its gradient on, to the bit; clipped, where |w| <= scale.
func TestFakeQuantizeGradient(t *testing.T) {
	for _, c := range layerCases() {
		if c.activations == qat.Int8Activations && c.ste == qat.Identity || c.float > 0 {
			continue // a weight alone has no activations, and is not blended
		}
		t.Run(c.String(), func(t *testing.T) {
			w := random(G.NewGraph(), 1, "w", 11, 13)
			n, err := qat.FakeQuantize(w, c.mode, qat.WithNumerics(c.numerics), qat.WithSTE(c.ste), qat.WithGranularity(c.granularity))
			require.NoError(t, err)
			circuit := circuit{out: n, leaves: G.Nodes{w}}
			got, grads := gradients(t, "tape", circuit)
			want := circuit.upstream()
			values, scales := c.weight(floats(w.Value()), 13)
			requireClose(t, "output", got, values, layerTolerance)
			for i, v := range floats(w.Value()) {
				if c.ste == qat.Clipped && math.Abs(float64(v)) > scales[i] {
					want[i] = 0
				}
			}
			requireBits(t, "gradient", grads[0], want)
		})
	}
}

// everyMode gives the layers of two blocks five modes: first and last block differ.
var everyMode = []qat.Option{
	qat.WithLayerMode("*.ffn.*", qat.Binary), qat.WithLayerMode("blocks.0.ffn.up", qat.Int8), qat.WithLayerMode("blocks.1.attn.*", qat.Int4),
	qat.WithLayerMode("blocks.1.ffn.down", qat.Float), qat.WithLayerMode("blocks.0.attn.qkv", qat.Ternary),
}

// TestModelGradient holds a whole two-block model, forward and backward, against
// the float64 model.
func TestModelGradient(t *testing.T) {
	for _, c := range []struct {
		mode        qat.Mode
		activations spec.Activations
		pooling     spec.Pooling
		positions   spec.Positions
		embed       int
		hidden      int
		more        []qat.Option
	}{
		{qat.Float, qat.FloatActivations, qat.LastTimestep, qat.Learned, 17, 22, nil},
		{qat.Binary, qat.Int8Activations, qat.LastTimestep, qat.NoPositions, 17, 22, nil},
		{qat.Binary, qat.Int8Activations, qat.LastTimestep, qat.NoPositions, 17, 98, nil},
		{qat.Ternary, qat.Int8Activations, qat.Mean, qat.Rotary, 22, 98, []qat.Option{qat.WithGranularity(qat.PerChannel)}},
		{qat.Ternary, qat.Int8Activations, qat.LastTimestep, qat.NoPositions, 17, 22, nil},
		{qat.Ternary, qat.Int8Activations, qat.Mean, qat.Rotary, 22, 22, nil},
		{qat.Ternary, qat.FloatActivations, qat.AllTimesteps, qat.Learned, 17, 22, nil},
		{qat.Int4, qat.Int8Activations, qat.AllTimesteps, qat.Learned, 22, 22, nil},
		{qat.Int8, qat.Int8Activations, qat.LastTimestep, qat.Rotary, 17, 22, nil},
		{qat.Ternary, qat.Int8Activations, qat.LastTimestep, qat.NoPositions, 17, 22, []qat.Option{qat.WithGranularity(qat.PerChannel)}},
		{qat.Int4, qat.Int8Activations, qat.Mean, qat.Rotary, 22, 22, []qat.Option{qat.WithGranularity(qat.PerChannel)}},
		{qat.Ternary, qat.Int8Activations, qat.LastTimestep, qat.Rotary, 17, 22, everyMode},
		{qat.Float, qat.Int8Activations, qat.AllTimesteps, qat.Learned, 17, 22, append(everyMode, qat.WithGranularity(qat.PerChannel))},
	} {
		t.Run(fmt.Sprint(c.mode, "/", c.activations, "/", c.pooling, "/", c.positions, "/", c.hidden, "/", len(c.more)), func(t *testing.T) {
			g := G.NewGraph()
			m, err := qat.Build(g, append(c.more, qat.WithEmbedDim(c.embed), qat.WithBatchSize(11), qat.WithWindowSize(13), qat.WithHiddenSize(c.hidden),
				qat.WithNumHeads(1), qat.WithNumLayers(2), qat.WithDropout(0), qat.WithQuantize(c.mode),
				qat.WithActivations(c.activations), qat.WithPooling(c.pooling), qat.WithPositions(c.positions))...)
			require.NoError(t, err)
			scatter(t, m, 3)
			let(t, m.Input(), numbers(4, 11*13*c.embed))
			circuit := circuit{out: m.Output(), leaves: append(m.Learnables(), m.Input())}
			values := map[string]*G.Value{}
			for _, n := range g.AllNodes() {
				for _, kind := range []string{":layer_norm", ":attention", ":silu"} {
					if strings.HasSuffix(n.Name(), kind) {
						values[n.Name()] = new(G.Value)
						G.Read(n, values[n.Name()])
					}
				}
			}
			out, grads := gradients(t, "tape", circuit)
			seen := map[string][]float32{}
			for name, v := range values {
				seen[name] = floats(*v)
			}
			r := newModel64(m, seen)
			x := matOf(11*13, c.embed, floats(m.Input().Value()))
			y := r.run(x)
			copy(y.d, toFloat64(circuit.upstream()))
			r.back()
			requireClose(t, "output", out, y.v, modelTolerance)
			for i, p := range m.Params() {
				requireClose(t, p.Name, grads[i], r.params[p.Name].d, modelTolerance)
			}
			requireClose(t, "input", grads[len(grads)-1], x.d, modelTolerance)
		})
	}
}

// Nearly every entry of every quantized weight is trained: none is cut off by a
// quantizer, a mask or a trimmed step.
func TestEveryWeightHasGradient(t *testing.T) {
	const share = 0.99
	for _, mode := range modes {
		for _, pooling := range []spec.Pooling{qat.LastTimestep, qat.Mean} {
			t.Run(fmt.Sprint(mode, "/", pooling), func(t *testing.T) {
				g := G.NewGraph()
				m, err := qat.Build(g, qat.WithEmbedDim(11), qat.WithBatchSize(32), qat.WithWindowSize(8), qat.WithHiddenSize(64),
					qat.WithNumLayers(2), qat.WithQuantize(mode), qat.WithPooling(pooling))
				require.NoError(t, err)
				let(t, m.Input(), numbers(5, 32*8*11))
				_, grads := gradients(t, "tape", circuit{out: m.Output(), leaves: m.Learnables()})
				weights := 0
				for i, p := range m.Params() {
					if !strings.HasPrefix(p.Name, "blocks.") || p.Node.Shape().Dims() != 2 {
						continue
					}
					weights++
					require.Equal(t, mode, p.Mode)
					trained := 0
					for _, d := range grads[i] {
						if d != 0 {
							trained++
						}
					}
					require.GreaterOrEqual(t, float64(trained), share*float64(len(grads[i])), "%s: %d of %d", p.Name, trained, len(grads[i]))
				}
				require.Equal(t, 8, weights)
			})
		}
	}
}

// TestClippedIncludesTheBoundary has weights of which each is exactly the scale: the
// clipped estimator passes |w/scale| = 1.
func TestClippedIncludesTheBoundary(t *testing.T) {
	for _, mode := range []qat.Mode{qat.Binary, qat.Ternary} {
		g := G.NewGraph()
		w := G.NewVector(g, tensor.Float32, G.WithShape(4), G.WithName("w"), G.WithValue(f32([]int{4}, []float32{0.5, -0.5, 0.5, -0.5})))
		q, err := qat.FakeQuantize(w, mode, qat.WithSTE(qat.Clipped))
		require.NoError(t, err)
		loss := G.Must(G.Sum(q))
		_, err = G.Grad(loss, w)
		require.NoError(t, err)
		vm := G.NewTapeMachine(g, G.BindDualValues(w))
		require.NoError(t, vm.RunAll())
		assert.Equal(t, []float32{1, 1, 1, 1}, grad(t, w), mode)
		require.NoError(t, vm.Close())
	}
}

// TestResultFedBack gives an operation its own last result as its input: what
// backward needs of it must survive forward, which rewrites that tensor.
func TestResultFedBack(t *testing.T) {
	w0 := []float32{0.9, -0.1, 0.05, -0.8, 0.7, 0.02, 0.1, -0.6, 0.03, 0.5, -0.04}
	run := func(again bool) (value, gradient []float32) {
		g := G.NewGraph()
		w := G.NewVector(g, tensor.Float32, G.WithShape(11), G.WithName("w"))
		q, err := qat.FakeQuantize(w, qat.Ternary, qat.WithSTE(qat.Clipped))
		require.NoError(t, err)
		loss := G.Must(G.Sum(q))
		gs, err := G.Grad(loss, w)
		require.NoError(t, err)
		var read G.Value
		G.Read(gs[0], &read)
		vm := G.NewTapeMachine(g)
		defer vm.Close()
		require.NoError(t, G.Let(w, f32([]int{11}, w0)))
		require.NoError(t, vm.RunAll())
		vm.Reset()
		result := q.Value().(*tensor.Dense)
		if !again {
			result = f32([]int{11}, result.Float32s()) // a copy
		}
		require.NoError(t, G.Let(w, result))
		require.NoError(t, vm.RunAll())
		return append([]float32(nil), q.Value().Data().([]float32)...), append([]float32(nil), read.Data().([]float32)...)
	}
	value, gradient := run(false)
	fedValue, fedGradient := run(true)
	assert.Equal(t, value, fedValue)
	assert.Equal(t, gradient, fedGradient)
	assert.Contains(t, gradient, float32(0), "some of the gradient is clipped")
}
