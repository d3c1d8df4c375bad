package ort

import (
	"testing"

	"github.com/qat-go/qat/internal/samebits"
	"github.com/qat-go/qat/interop/onnx"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/require"
)

// BenchmarkSession is a sequence, and a batch of them, of models of two sizes.
func BenchmarkSession(b *testing.B) {
	for name, s := range map[string]spec.Model{
		"64": {EmbedDim: 8, HiddenSize: 64, NumHeads: 4, NumLayers: 2, WindowSize: 8}, "256": {EmbedDim: 6, HiddenSize: 256, NumHeads: 4, NumLayers: 4, WindowSize: 60},
	} {
		s.Quantize = quant.Ternary
		c := samebits.Case{Spec: s, Width: 10, Frames: s.WindowSize}
		p, err := c.Model()
		require.NoError(b, err)
		session := open(b, exported(b, p, onnx.Int8))
		full := c.Windows()[s.WindowSize-1]
		for size, series := range map[string][][]float32{"1": {full}, "32": repeat(full, 32)} {
			b.Run(name+"/"+size, func(b *testing.B) {
				for b.Loop() {
					session.run(b, series)
				}
			})
		}
	}
}

func repeat(x []float32, n int) (all [][]float32) {
	for range n {
		all = append(all, x)
	}
	return all
}
