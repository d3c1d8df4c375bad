package qat_test

import (
	"math"
	"slices"
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/internal/kernel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
)

// dropRig is a block in a graph with the values around its dropouts in sight.
type dropRig struct {
	*qat.Layer
	x      *G.Node
	vm     G.VM
	p      float64
	values map[string]*dropValues
}

// dropValues are what a dropout takes, what its op returns, and the stream that a
// residual adds it to; the activation's dropout has none, and takes the activation.
type dropValues struct{ before, after, stream G.Value }

func newDropRig(t *testing.T, p float64, options ...qat.Option) *dropRig {
	t.Helper()
	g := G.NewGraph()
	r := &dropRig{x: random(g, 1, "x", 11, 13, 22), p: p, values: map[string]*dropValues{}}
	r.Layer = ok(qat.Block(r.x, append(options, qat.WithDropout(p), qat.WithNumHeads(1))...))
	scatter(t, r.Layer, 2) // with biases, no element is 0 before dropout
	for _, names := range [][3]string{
		{"block.attn.out:linear", "block.attn.residual:residual", "block.input:input"},
		{"block.ffn.up:linear", "block.ffn:silu"},
		{"block.ffn.down:linear", "block.ffn.residual:residual", "block.attn.residual:residual"},
	} {
		v := new(dropValues)
		r.values[names[1]] = v
		for i, into := range []*G.Value{&v.before, &v.after, &v.stream} {
			if names[i] != "" {
				nodes := g.ByName(names[i])
				require.Len(t, nodes, 1, names[i])
				G.Read(nodes[0], into)
			}
		}
	}
	r.vm = G.NewTapeMachine(g)
	t.Cleanup(func() { r.vm.Close() })
	return r
}

// run returns each dropout's input and output, by the name of its op's node.
func (r *dropRig) run(t *testing.T) map[string][2][]float32 {
	t.Helper()
	require.NoError(t, r.vm.RunAll())
	defer r.vm.Reset()
	out := map[string][2][]float32{}
	for name, v := range r.values {
		before, after := floats(v.before), floats(v.after)
		if v.stream == nil {
			kernel.SiLU(before, before, nil)
		} else {
			r.takeStream(t, name, after, before, floats(v.stream))
		}
		out[name] = [2][]float32{before, after}
	}
	return out
}

// takeStream turns the sums of a stream and what dropout left of before into the
// latter: an element is dropped, scaled up, or in evaluation itself.
func (r *dropRig) takeStream(t *testing.T, name string, after, before, stream []float32) {
	t.Helper()
	for i, y := range after {
		left := []float32{0, before[i] * float32(1/(1-r.p)), before[i]}
		k := slices.IndexFunc(left, func(v float32) bool { return stream[i]+v == y })
		require.GreaterOrEqual(t, k, 0, "%s: element %d: %v is no sum of %v and what is left of %v", name, i, y, stream[i], before[i])
		after[i] = left[k]
	}
}

// masks says for each dropout which elements were kept.
func masks(run map[string][2][]float32) map[string][]bool {
	out := map[string][]bool{}
	for name, v := range run {
		for _, y := range v[1] {
			out[name] = append(out[name], y != 0)
		}
	}
	return out
}

func TestDropoutInEvaluation(t *testing.T) {
	r := newDropRig(t, 0.5)
	r.SetTraining(false)
	for range 3 {
		for name, v := range r.run(t) {
			requireBits(t, name, v[1], v[0])
		}
	}
	assert.Zero(t, r.Step(), "evaluation advances no step")
	r.SetTraining(true)
	r.run(t)
	assert.EqualValues(t, 1, r.Step())
	r.SetTraining(false)
	r.run(t)
	assert.EqualValues(t, 1, r.Step())

	// A model in evaluation equals one that has no dropout.
	with := newTask(t, G.NewGraph(), 11, 5, 7, qat.WithHiddenSize(32), qat.WithNumLayers(2), qat.WithDropout(0.5))
	without := newTask(t, G.NewGraph(), 11, 5, 7, qat.WithHiddenSize(32), qat.WithNumLayers(2), qat.WithDropout(0))
	with.SetTraining(false)
	for _, k := range []*task{with, without} {
		k.feed(t, 1)
		require.NoError(t, k.vm.RunAll())
	}
	requireBits(t, "output", floats(with.Output().Value()), floats(without.Output().Value()))
	for i, n := range with.ws {
		requireBits(t, n.Name(), grad(t, n), grad(t, without.ws[i]))
	}
}

// In training the kept elements are x/(1-p), to the bit, and p of them are not kept.
func TestDropoutInTraining(t *testing.T) {
	for _, p := range []float64{0.1, 0.5, 0.9} {
		r := newDropRig(t, p)
		kept, total := 0.0, 0.0
		for range 5 {
			for name, v := range r.run(t) {
				scale := float32(1 / (1 - p))
				for i, y := range v[1] {
					total++
					if y == 0 {
						continue
					}
					kept++
					require.Equal(t, v[0][i]*scale, y, "%s: element %d at p %v", name, i, p)
				}
			}
		}
		deviation := math.Sqrt(p * (1 - p) / total)
		const deviations = 6 // one run in 500 million would leave them by chance
		assert.InDelta(t, 1-p, kept/total, deviations*deviation, "p %v", p)
	}
}

func TestDropoutMasks(t *testing.T) {
	r := newDropRig(t, 0.5)
	first, second := masks(r.run(t)), masks(r.run(t))
	assert.EqualValues(t, 2, r.Step())
	seen := []string{}
	for name, mask := range first {
		assert.NotEqual(t, mask, second[name], "%s: a fresh mask every step", name)
		for _, other := range seen {
			if len(first[other]) == len(mask) {
				assert.NotEqual(t, mask, first[other], "%s and %s", name, other)
			}
		}
		seen = append(seen, name)
	}
	r.SetStep(0)
	assert.Equal(t, first, masks(r.run(t)), "the same steps again")
	assert.Equal(t, second, masks(r.run(t)))

	again := newDropRig(t, 0.5)
	assert.Equal(t, first, masks(again.run(t)), "the same seed")
	other := newDropRig(t, 0.5, qat.WithSeed(1))
	for name, mask := range masks(other.run(t)) {
		assert.NotEqual(t, first[name], mask, "another seed")
	}
}

// The gradient of dropout is its own mask and scale on the upstream gradient: the
// bias before the last dropout gets the sum of what passed.
func TestDropoutGradient(t *testing.T) {
	const p, batch, steps, hidden = 0.25, 11, 13, 22
	r := newDropRig(t, p)
	mask := masks(r.run(t))["block.ffn.residual:residual"]
	g := G.NewGraph()
	l := ok(qat.Block(random(g, 1, "x", batch, steps, hidden), qat.WithDropout(p), qat.WithNumHeads(1)))
	scatter(t, l, 2)
	c := circuit{out: l.Output(), leaves: l.Learnables()}
	_, grads := gradients(t, "tape", c)
	up := c.upstream()
	want := make([]float64, hidden)
	for i, kept := range mask {
		if kept {
			want[i%hidden] += float64(up[i]) / (1 - p)
		}
	}
	last := l.Params()[len(grads)-1]
	require.Equal(t, "block.ffn.down.bias", last.Name)
	requireClose(t, last.Name, grads[len(grads)-1], want, layerTolerance)
}

// Every parameter of a float block, in training at one step, has the gradient by differences:
// what a dropout takes away going forward it takes away going back.
func TestDropoutDifferences(t *testing.T) {
	const eps, tolerance = 1e-2, 2e-2 // a difference of float32 outputs, of which cubes of eps remain
	build := func() (*G.ExprGraph, *qat.Layer) {
		g := G.NewGraph()
		l := ok(qat.Block(random(g, 1, "x", 3, 13, 22), qat.WithDropout(0.5), qat.WithNumHeads(1), qat.WithQuantize(qat.Float)))
		scatter(t, l, 2)
		return g, l
	}
	_, l := build()
	c := circuit{out: l.Output(), leaves: l.Learnables()}
	_, grads := gradients(t, "tape", c)
	up := c.upstream()

	g, l := build()
	vm := G.NewTapeMachine(g)
	defer vm.Close()
	loss := func() (sum float64) {
		l.SetStep(0)
		require.NoError(t, vm.RunAll())
		defer vm.Reset()
		for i, y := range floats(l.Output().Value()) {
			sum += float64(y) * float64(up[i])
		}
		return sum
	}
	for i, p := range l.Params() {
		value := ok(l.ParamValue(p.Name))
		direction := numbers(uint64(i), len(value))
		var want float64
		for k, d := range direction {
			want += float64(d) * float64(grads[i][k])
		}
		moved := func(by float64) float64 {
			w := slices.Clone(value)
			for k, d := range direction {
				w[k] += float32(by * float64(d))
			}
			require.NoError(t, l.SetParam(p.Name, w))
			return loss()
		}
		got := (moved(eps) - moved(-eps)) / (2 * eps)
		require.NoError(t, l.SetParam(p.Name, value))
		assert.InDelta(t, want, got, tolerance*(1+math.Abs(want)), p.Name)
	}
}
