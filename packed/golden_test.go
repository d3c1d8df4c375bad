package packed

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

var update = flag.Bool("update", false, "write testdata anew")

// goldens are the models in testdata, whose numbers TestFormat knows.
func goldens() map[string]*Model {
	tensor := &Model{Spec: smallSpec(quant.Ternary), Head: &Head{Classes: []string{"down", "up"}, Width: 2}}
	scale := preprocess.Scaler{Mean: []float64{0.5, -2}, Std: []float64{0.25, 3}}
	channel := &Model{
		Spec: mixedSpec(),
		Head: &Head{Targets: &scale, Width: 2},
		Input: &preprocess.Pipeline{
			Channels: []string{"x"}, Scale: preprocess.Scaler{Mean: []float64{1}, Std: []float64{2}},
			Frame: 2, Hop: 1, Center: true, Window: 11,
		},
	}
	edifice := &Model{Spec: smallSpec(quant.Int4)}
	edifice.Spec.Numerics, edifice.Spec.Activations = spec.Edifice, spec.FloatActivations
	return map[string]*Model{"testdata/tensor.qat": tensor, "testdata/channel.qat": channel, "testdata/edifice.qat": edifice}
}

// fillGolden gives a model numbers that are a function of names and places.
func fillGolden(t *testing.T, m *Model) {
	for _, p := range m.params() {
		n, err := product(p.Shape...)
		require.NoError(t, err)
		values := make([]float32, n)
		if p.Mode == quant.Float {
			for i := range values {
				values[i] = float32(i%17)/8 - float32(len(p.Name))
			}
			m.Tensors = append(m.Tensors, Tensor{Name: p.Name, Shape: p.Shape, Values: values})
			continue
		}
		in, out := p.Shape[0], p.Shape[1]
		most := p.Mode.MaxCode()
		for o := range out {
			for i := range in {
				k := o*in + i
				code := (7*k*k+3*k+len(p.Name))%(2*most+1) - most
				if p.Mode == quant.Binary && code == 0 {
					code = 1
				}
				values[i*out+o] = float32(code)
			}
		}
		scales := make([]float32, m.Spec.Granularity.Scales(out))
		for i := range scales {
			scales[i] = float32(i+1) / 64
		}
		w, err := Pack(p.Name, p.Mode, in, out, values, scales)
		require.NoError(t, err)
		m.Weights = append(m.Weights, w)
	}
}

// TestGolden: files of this version stay what they are, and readable. A field that is
// added to the spec, and not left out of the JSON where it is zero, turns it red.
func TestGolden(t *testing.T) {
	for path, m := range goldens() {
		fillGolden(t, m)
		if *update {
			require.NoError(t, m.Write(path))
		}
		got, err := Open(path)
		require.NoError(t, err)
		assert.Equal(t, m, got, path)
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, want, encoded(t, m), path)
	}
}
