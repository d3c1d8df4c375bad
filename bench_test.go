package qat_test

import (
	"fmt"
	"testing"

	"github.com/qat-go/qat"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
)

// newBenchTask is a task with a batch to run over and over.
func newBenchTask(t testing.TB, batch, steps, embed, hidden, layers, heads int, mode qat.Mode) *task {
	k := newTask(t, G.NewGraph(), batch, steps, embed, qat.WithHiddenSize(hidden), qat.WithNumLayers(layers), qat.WithNumHeads(heads), qat.WithQuantize(mode))
	k.feed(t, 1)
	return k
}

func valueGrads(k *task) []G.ValueGrad { return G.NodesToValueGrads(k.ws) }

// BenchmarkStep is forward and backward of one batch, without the solver.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct{ batch, steps, embed, hidden, layers, heads int }{{32, 8, 8, 64, 2, 4}, {32, 60, 256, 256, 4, 4}, {8, 128, 512, 512, 6, 8}} {
		for _, mode := range modes {
			b.Run(fmt.Sprintf("%v/%dx%dx%d/h%d/l%d", mode, c.batch, c.steps, c.embed, c.hidden, c.layers), func(b *testing.B) {
				k := newBenchTask(b, c.batch, c.steps, c.embed, c.hidden, c.layers, c.heads, mode)
				require.NoError(b, k.vm.RunAll())
				k.vm.Reset()
				b.ReportAllocs()
				for b.Loop() {
					if err := k.vm.RunAll(); err != nil {
						b.Fatal(err)
					}
					k.vm.Reset()
				}
			})
		}
	}
}
