package qat_test

import (
	"runtime"
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/solver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
)

// task is a small classification: the class is the place of a bump in noise.
type task struct {
	batch, steps, embed, classes int
	*qat.Model
	head *qat.Layer
	y    *G.Node
	loss *G.Node
	ws   G.Nodes
	vm   G.VM
}

// newTask builds a model, a head and a loss, as a user does.
func newTask(t testing.TB, g *G.ExprGraph, batch, steps, embed int, options ...qat.Option) *task {
	t.Helper()
	k := &task{batch: batch, steps: steps, embed: embed, classes: 3}
	x := placeholder(g, "x", batch, steps, embed)
	k.y = placeholder(g, "y", batch)
	var err error
	k.Model, err = qat.Build(g, append([]qat.Option{qat.WithInput(x)}, options...)...)
	require.NoError(t, err)
	k.head, err = qat.Dense(k.Output(), k.classes, qat.WithName("head"))
	require.NoError(t, err)
	k.loss, err = qat.CrossEntropy(k.head.Output(), k.y)
	require.NoError(t, err)
	k.ws = append(k.Learnables(), k.head.Learnables()...)
	_, err = G.Grad(k.loss, k.ws...)
	require.NoError(t, err)
	k.vm = G.NewTapeMachine(g, G.BindDualValues(k.ws...))
	t.Cleanup(func() { k.vm.Close() })
	return k
}

// feed sets the batch of a step.
func (k *task) feed(t testing.TB, step uint64) {
	t.Helper()
	x := numbers(step, k.batch*k.steps*k.embed)
	y := make([]float32, k.batch)
	for i := range y {
		class := i % k.classes
		y[i] = float32(class)
		row := x[((i+1)*k.steps-1-class)*k.embed:] // a bump `class` steps from the end
		for j := range k.embed {
			row[j] += 3
		}
	}
	let(t, k.Input(), x)
	let(t, k.y, y)
}

// step is one round of the loop that the README shows; it returns the loss.
func (k *task) step(t testing.TB, opt G.Solver, step uint64) float32 {
	t.Helper()
	k.feed(t, step)
	require.NoError(t, k.vm.RunAll())
	loss := floats(k.loss.Value())[0]
	require.NoError(t, opt.Step(G.NodesToValueGrads(k.ws)))
	k.vm.Reset()
	return loss
}

// weights are the bytes that training leaves.
func (k *task) weights(t testing.TB) (all []float32) {
	t.Helper()
	for _, n := range k.ws {
		all = append(all, floats(n.Value())...)
	}
	return all
}

func adamW(t testing.TB) G.Solver {
	t.Helper()
	opt, err := solver.NewAdamW(solver.WithLearnRate(0.01))
	require.NoError(t, err)
	return opt
}

// Every solver learns the task, in the one loop.
func TestSolvers(t *testing.T) {
	const steps = 60
	for name, opt := range map[string]G.Solver{
		"AdamW":   adamW(t),
		"Adam":    G.NewAdamSolver(G.WithLearnRate(0.01)),
		"RMSProp": G.NewRMSPropSolver(G.WithLearnRate(0.003)),
		"Vanilla": G.NewVanillaSolver(G.WithLearnRate(0.3)),
	} {
		t.Run(name, func(t *testing.T) {
			k := newTask(t, G.NewGraph(), 33, 5, 7, qat.WithHiddenSize(32), qat.WithNumLayers(1), qat.WithPositions(qat.Learned))
			var first, last float32
			for i := range uint64(steps) {
				loss := k.step(t, opt, i)
				if i < 5 {
					first += loss / 5
				}
				if i >= steps-5 {
					last += loss / 5
				}
			}
			t.Logf("loss %.3f -> %.3f", first, last)
			assert.Less(t, last, first/2)
		})
	}
}

// Without a solver to zero them, gradients would add up from step to step; with
// one, a step's gradients are those of the step alone.
func TestGradientsOfOneStep(t *testing.T) {
	options := []qat.Option{qat.WithHiddenSize(32), qat.WithNumLayers(1), qat.WithDropout(0)}
	for name, opt := range map[string]G.Solver{"AdamW": adamW(t), "Vanilla": G.NewVanillaSolver(G.WithLearnRate(0.1))} {
		t.Run(name, func(t *testing.T) {
			k := newTask(t, G.NewGraph(), 11, 5, 7, options...)
			k.step(t, opt, 1)
			k.step(t, opt, 2)
			fresh := newTask(t, G.NewGraph(), 11, 5, 7, append(options, qat.WithParamsFrom(k.Model))...)
			require.NoError(t, fresh.head.SetParam("head.weight", ok(k.head.ParamValue("head.weight"))))
			require.NoError(t, fresh.head.SetParam("head.bias", ok(k.head.ParamValue("head.bias"))))
			for _, task := range []*task{k, fresh} {
				task.feed(t, 3)
				require.NoError(t, task.vm.RunAll())
			}
			for i, n := range k.ws {
				requireSame(t, n.Name(), grad(t, n), grad(t, fresh.ws[i]))
			}
		})
	}
}

// TestSameSeedSameBytes: training depends on the seed, not on the number of threads.
func TestSameSeedSameBytes(t *testing.T) {
	const steps = 50
	train := func(procs int, seed uint64, opt G.Solver, mode qat.Mode) []float32 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		k := newTask(t, G.NewGraph(), 31, 13, 11, qat.WithHiddenSize(64), qat.WithNumLayers(2), qat.WithSeed(seed), qat.WithQuantize(mode))
		for i := range uint64(steps) {
			k.step(t, opt, i)
		}
		return k.weights(t)
	}
	want := train(1, 0, adamW(t), qat.Ternary)
	for _, procs := range []int{2, 4} {
		requireBits(t, "AdamW, ternary", train(procs, 0, adamW(t), qat.Ternary), want)
	}
	assert.NotEqual(t, want, train(2, 1, adamW(t), qat.Ternary), "another seed")

	vanilla := func() G.Solver { return G.NewVanillaSolver(G.WithLearnRate(0.1)) }
	want = train(1, 0, vanilla(), qat.Float)
	requireBits(t, "Vanilla, float", train(4, 0, vanilla(), qat.Float), want)
}

// Running one graph again and again gives what a graph made for the step gives.
func TestRunAgainAfterReset(t *testing.T) {
	options := []qat.Option{qat.WithHiddenSize(32), qat.WithNumLayers(2)}
	run := func(k *task, i uint64) (loss float32, grads [][]float32) {
		k.feed(t, i)
		k.SetStep(i)
		require.NoError(t, k.vm.RunAll())
		loss = floats(k.loss.Value())[0]
		for _, n := range k.ws {
			grads = append(grads, grad(t, n))
			v, err := n.Grad()
			require.NoError(t, err)
			clear(v.Data().([]float32))
		}
		k.vm.Reset()
		return loss, grads
	}
	k := newTask(t, G.NewGraph(), 11, 5, 7, options...)
	for i := range uint64(23) {
		loss, grads := run(k, i)
		if i%11 != 0 {
			continue
		}
		wantLoss, wantGrads := run(newTask(t, G.NewGraph(), 11, 5, 7, options...), i)
		assert.Equal(t, wantLoss, loss, "step %d", i)
		for j, n := range k.ws {
			requireSame(t, n.Name(), grads[j], wantGrads[j])
		}
	}
}

// Several machines on one graph: the switch is the model's, and neither making nor
// running another machine turns it.
func TestSeveralMachines(t *testing.T) {
	g := G.NewGraph()
	k := newTask(t, g, 11, 5, 7, qat.WithHiddenSize(32), qat.WithNumLayers(2), qat.WithDropout(0.5))
	k.feed(t, 1)
	run := func(vm G.VM) []float32 {
		k.SetStep(4)
		require.NoError(t, vm.RunAll())
		defer vm.Reset()
		return floats(k.Output().Value())
	}
	training := run(k.vm)
	eval := G.NewTapeMachine(g.SubgraphRoots(k.head.Output()), G.EvalMode())
	defer eval.Close()
	requireBits(t, "another machine was made", run(k.vm), training)
	requireBits(t, "in training mode, another machine is no other", run(eval), training)

	k.SetTraining(false)
	evaluated := run(eval)
	assert.NotEqual(t, training, evaluated)
	requireBits(t, "evaluation on the training machine", run(k.vm), evaluated)
	k.SetTraining(true)
	requireBits(t, "training again", run(k.vm), training)
	requireBits(t, "and on the other machine", run(eval), training)
}

// A batch-1 graph on the training graph's parameters computes what the training
// graph does, and sees each step.
func TestWithParamsFrom(t *testing.T) {
	options := []qat.Option{qat.WithHiddenSize(32), qat.WithNumLayers(2), qat.WithPositions(qat.Learned)}
	k := newTask(t, G.NewGraph(), 11, 5, 7, options...)
	g := G.NewGraph()
	x := placeholder(g, "x", 1, 5, 7)
	one, err := qat.Build(g, append(options, qat.WithInput(x), qat.WithParamsFrom(k.Model), qat.WithName("one"))...)
	require.NoError(t, err)
	head, err := qat.Dense(one.Output(), k.classes, qat.WithParamsFrom(k.head))
	require.NoError(t, err)
	one.SetTraining(false)
	vm := G.NewTapeMachine(g)
	defer vm.Close()

	check := func() (outputs []float32) {
		k.feed(t, 9)
		k.SetTraining(false)
		require.NoError(t, k.vm.RunAll())
		want := floats(k.head.Output().Value())
		for _, n := range k.ws {
			clear(ok(n.Grad()).Data().([]float32))
		}
		k.vm.Reset()
		k.SetTraining(true)
		data := floats(k.Input().Value())
		for b := range k.batch {
			let(t, x, data[b*5*7:(b+1)*5*7])
			require.NoError(t, vm.RunAll())
			requireBits(t, "a sequence alone", floats(head.Output().Value()), want[b*k.classes:(b+1)*k.classes])
			vm.Reset()
		}
		return want
	}
	before := check()
	opt := adamW(t)
	for i := range uint64(3) {
		k.step(t, opt, i)
	}
	assert.NotEqual(t, before, check(), "the steps changed nothing")
	requireBits(t, "value", ok(one.ParamValue("one.positions.weight")), ok(k.ParamValue("positions.weight")))
	require.NoError(t, one.SetParam("one.positions.weight", make([]float32, 5*32)))
	requireBits(t, "set by the other", ok(k.ParamValue("positions.weight")), make([]float32, 5*32))
}
