package qat_test

import (
	"fmt"
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
)

// TestTapeEqualsLisp: the symbolic gradients of a TapeMachine and those that a
// LispMachine computes as it goes are the same bits, for every builder.
func TestTapeEqualsLisp(t *testing.T) {
	labels := func(g *G.ExprGraph) *G.Node {
		y := placeholder(g, "y", 11)
		must(G.Let(y, f32([]int{11}, []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10})))
		return y
	}
	layer := func(l *qat.Layer, err error, more ...*G.Node) circuit {
		must(err)
		return circuit{out: l.Output(), leaves: append(l.Learnables(), more...)}
	}
	circuits := map[string]func(g *G.ExprGraph) circuit{
		"Dense": func(g *G.ExprGraph) circuit {
			x := random(g, 1, "x", 11, 13)
			l, err := qat.Dense(x, 17)
			return layer(l, err, x)
		},
		"QuantLinear": func(g *G.ExprGraph) circuit {
			x := random(g, 1, "x", 11, 13, 17)
			l, err := qat.QuantLinear(x, 19, qat.WithQuantize(qat.Int4))
			return layer(l, err, x)
		},
		"FakeQuantize": func(g *G.ExprGraph) circuit {
			w := random(g, 1, "w", 11, 13)
			return circuit{out: ok(qat.FakeQuantize(w, qat.Ternary, qat.WithSTE(qat.Clipped))), leaves: G.Nodes{w}}
		},
		"QuantLinear/channel": func(g *G.ExprGraph) circuit {
			x := random(g, 1, "x", 11, 13, 17)
			l, err := qat.QuantLinear(x, 19, qat.WithGranularity(qat.PerChannel), qat.WithSTE(qat.Clipped))
			return layer(l, err, x)
		},
		"FakeQuantize/channel": func(g *G.ExprGraph) circuit {
			w := random(g, 1, "w", 11, 13)
			return circuit{out: ok(qat.FakeQuantize(w, qat.Binary, qat.WithSTE(qat.Clipped), qat.WithGranularity(qat.PerChannel))), leaves: G.Nodes{w}}
		},
		"Block/modes": func(g *G.ExprGraph) circuit {
			x := random(g, 1, "x", 3, 11, 44)
			l, err := qat.Block(x, qat.WithNumHeads(2), qat.WithGranularity(qat.PerChannel), qat.WithName("mine"),
				qat.WithLayerMode("mine.ffn.*", qat.Int8), qat.WithLayerMode("*.up", qat.Float))
			return layer(l, err, x)
		},
		"Block": func(g *G.ExprGraph) circuit {
			x := random(g, 1, "x", 3, 11, 44)
			l, err := qat.Block(x, qat.WithNumHeads(2), qat.WithPositions(qat.Rotary))
			return layer(l, err, x)
		},
		"WeightedCrossEntropy": func(g *G.ExprGraph) circuit {
			x := random(g, 1, "x", 11, 13)
			w := placeholder(g, "weights", 11)
			must(G.Let(w, f32([]int{11}, []float32{0, 1, 2, 0.5, 3, 1, 0, 1, 1, 7, 0.25})))
			return circuit{out: ok(qat.WeightedCrossEntropy(x, labels(g), w)), leaves: G.Nodes{x}}
		},
		"CrossEntropy": func(g *G.ExprGraph) circuit {
			x := random(g, 1, "x", 11, 13)
			return circuit{out: ok(qat.CrossEntropy(x, labels(g))), leaves: G.Nodes{x}}
		},
		"MeanSquaredError": func(g *G.ExprGraph) circuit {
			x, y := random(g, 1, "x", 11, 13), random(g, 2, "y", 11, 13)
			return circuit{out: ok(qat.MeanSquaredError(x, y)), leaves: G.Nodes{x, y}}
		},
	}
	for _, mode := range modes {
		for _, pooling := range poolings {
			circuits[fmt.Sprint("Build/", mode, "/", pooling)] = func(g *G.ExprGraph) circuit {
				x := random(g, 1, "x", 11, 13, 17)
				m, err := qat.Build(g, qat.WithInput(x), qat.WithHiddenSize(26), qat.WithNumHeads(2), qat.WithNumLayers(2),
					qat.WithQuantize(mode), qat.WithPooling(pooling), qat.WithPositions(qat.Learned))
				must(err)
				return circuit{out: m.Output(), leaves: append(m.Learnables(), x)}
			}
		}
	}
	circuits["Build/modes/channel"] = func(g *G.ExprGraph) circuit {
		x := random(g, 1, "x", 11, 13, 17)
		m, err := qat.Build(g, append(everyMode, qat.WithInput(x), qat.WithHiddenSize(26), qat.WithNumHeads(2), qat.WithNumLayers(2), qat.WithGranularity(qat.PerChannel))...)
		must(err)
		return circuit{out: m.Output(), leaves: append(m.Learnables(), x)}
	}
	// The user's own nodes before and after.
	circuits["stock"] = func(g *G.ExprGraph) circuit {
		x := random(g, 1, "x", 11, 13, 22)
		before := G.Must(G.Tanh(G.Must(G.Add(x, x))))
		m := ok(qat.Build(g, qat.WithInput(before), qat.WithHiddenSize(26), qat.WithNumHeads(1), qat.WithNumLayers(1)))
		head := ok(qat.Dense(G.Must(G.Tanh(m.Output())), 13, qat.WithName("head")))
		return circuit{out: ok(qat.CrossEntropy(head.Output(), labels(g))), leaves: append(append(m.Learnables(), head.Learnables()...), x)}
	}
	for name, build := range circuits {
		t.Run(name, func(t *testing.T) {
			tapeOut, tape := gradients(t, "tape", build(G.NewGraph()))
			lispOut, lisp := gradients(t, "lisp", build(G.NewGraph()))
			requireBits(t, "output", lispOut, tapeOut)
			require.Len(t, lisp, len(tape))
			for i := range tape {
				requireSame(t, fmt.Sprint("gradient ", i), lisp[i], tape[i])
			}
		})
	}
}

// requireSame requires equal numbers: of two zeros the sign may differ, since a
// LispMachine adds to +0.
func requireSame(t testing.TB, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: element %d: got %v, want %v", what, i, got[i], want[i])
		}
	}
}

// TestCausal: a step's output depends on that step and on those before it alone.
func TestCausal(t *testing.T) {
	const steps, embed, hidden, changed = 13, 17, 22, 7
	for _, positions := range []spec.Positions{qat.NoPositions, qat.Rotary, qat.Learned} {
		m := ok(qat.Build(G.NewGraph(), qat.WithEmbedDim(embed), qat.WithWindowSize(steps), qat.WithHiddenSize(hidden), qat.WithNumHeads(1),
			qat.WithNumLayers(2), qat.WithPooling(qat.AllTimesteps), qat.WithPositions(positions)))
		m.SetTraining(false)
		x := numbers(1, steps*embed)
		let(t, m.Input(), x)
		before := forward(t, m.Output())
		for i := range embed {
			x[changed*embed+i] = -x[changed*embed+i]
		}
		let(t, m.Input(), x)
		after := forward(t, m.Output())
		requireBits(t, "earlier steps", after[:changed*hidden], before[:changed*hidden])
		for step := changed; step < steps; step++ {
			require.NotEqual(t, before[step*hidden:(step+1)*hidden], after[step*hidden:(step+1)*hidden], "step %d of %v", step, positions)
		}
	}
}

// machineRig is a small model in training, whose loss a stock op may follow.
func machineRig(t *testing.T, stock bool) (g *G.ExprGraph, ws G.Nodes) {
	t.Helper()
	g = G.NewGraph()
	x := random(g, 1, "x", 11, 13, 17)
	m := ok(qat.Build(g, qat.WithInput(x), qat.WithHiddenSize(22), qat.WithNumHeads(1), qat.WithNumLayers(2), qat.WithDropout(0)))
	loss := ok(qat.MeanSquaredError(m.Output(), random(g, 2, "y", 11, 22)))
	if stock {
		loss = G.Must(G.Square(loss))
	}
	ok(G.Grad(loss, m.Learnables()...))
	return g, m.Learnables()
}

// TestNewMachine: the gradients are those that Gorgonia binds, to the bit. Without stock
// ops a run overwrites them; with one they are Gorgonia's own, which a run adds to.
func TestNewMachine(t *testing.T) {
	for _, stock := range []bool{false, true} {
		t.Run(fmt.Sprint("stock=", stock), func(t *testing.T) {
			g, ws := machineRig(t, stock)
			bound := G.NewTapeMachine(g, G.BindDualValues(ws...))
			defer bound.Close()
			require.NoError(t, bound.RunAll())

			g, mine := machineRig(t, stock)
			vm, grads, err := qat.NewMachine(g, mine)
			require.NoError(t, err)
			defer vm.Close()
			require.Len(t, grads, len(ws))
			for run := 1; run <= 2; run++ {
				require.NoError(t, vm.RunAll())
				vm.Reset()
				for i, w := range ws {
					want := grad(t, w)
					for k := range want {
						if stock && run == 2 {
							want[k] += want[k]
						}
					}
					requireBits(t, w.Name(), floats(ok(grads[i].Grad())), want)
					require.Equal(t, w.Name(), grads[i].(G.Namer).Name())
					_, overwritten := grads[i].(interface{ Overwritten() })
					require.Equal(t, !stock, overwritten, w.Name())
				}
			}
		})
	}
}

// A weight that something else reads too has a gradient that Gorgonia sums.
func TestNewMachine_shared(t *testing.T) {
	g := G.NewGraph()
	x, y := random(g, 1, "x", 11, 13), random(g, 2, "y", 11, 17)
	l := ok(qat.Dense(x, 17))
	w := l.Learnables()[0]
	a := ok(qat.MeanSquaredError(l.Output(), y))
	b := ok(qat.MeanSquaredError(w, random(g, 3, "prior", 13, 17)))
	ok(G.Grad(G.Must(G.Add(a, b)), w))
	vm, grads, err := qat.NewMachine(g, G.Nodes{w})
	require.NoError(t, err)
	defer vm.Close()
	require.Equal(t, G.ValueGrad(w), grads[0])
	require.NoError(t, vm.RunAll())
	require.NotNil(t, ok(grads[0].Grad()))
}

func TestNewMachine_withoutGradient(t *testing.T) {
	g := G.NewGraph()
	l := ok(qat.Dense(random(g, 1, "x", 11, 13), 17))
	_, _, err := qat.NewMachine(g, l.Learnables())
	require.EqualError(t, err, "qat: dense.weight has no gradient: call gorgonia.Grad with it first")
}
