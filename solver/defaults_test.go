package solver_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/qat-go/qat/solver"
)

func TestDefaultDecay(t *testing.T) {
	for _, c := range []struct {
		name string
		dims int
		want bool
	}{
		{"blocks.0.attn.qkv.weight", 2, true},
		{"input_projection.weight", 3, true},
		{"positions.weight", 2, false},
		{"encoder.positions.weight", 2, false},
		{"depositions.weight", 2, true},
		{"positions.weight.delta", 2, true},
		{"blocks.0.norm.gain", 1, false},
		{"blocks.0.attn.qkv.bias", 1, false},
		{"temperature", 0, false},
	} {
		assert.Equal(t, c.want, solver.DefaultDecay(c.name, c.dims), "%s, %d dimensions", c.name, c.dims)
	}
}

// Without a gradient only decay moves a weight.
func TestDecayMovesOnlyItsParameters(t *testing.T) {
	s := newSolver(t, solver.WithLearnRate(0.5), solver.WithWeightDecay(0.25))
	m := newModel(61)
	before := m.weights()
	if err := s.Step(m.valueGrads()); err != nil {
		t.Fatal(err)
	}
	for i, w := range m.weights() {
		for j := range w {
			want := before[i][j]
			if i < 2 {
				want -= float32(0.125 * want)
			}
			assert.Equal(t, want, w[j], "%s[%d]", m[i].name, j)
		}
	}
}
