package qat_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the goldens in infer/testdata")

// goldenLengths are the steps of a golden's sequences; only a model with a pipeline
// reads more than the window.
var goldenLengths = []int{13, 1, 2, 7, 12, 13, 5, 11, 3, 9, 13, 4, 6, 10, 8, 13, 13}

// golden is a packed model in infer/testdata and the outputs of its graph, which
// infer's own tests compare on other CPUs.
type golden struct {
	name     string
	spec     spec.Model
	outputs  int
	classes  []string
	targets  *preprocess.Scaler
	pipeline *preprocess.Pipeline
}

// goldens have int8 activations in every layer: what all CPUs promise.
func goldens() []golden {
	base := spec.Model{EmbedDim: 5, HiddenSize: 14, NumHeads: 7, NumLayers: 2, WindowSize: 13, Dropout: 0.1}
	with := func(name string, change func(*golden)) golden {
		g := golden{name: name, spec: base}
		change(&g)
		return g
	}
	return []golden{
		with("ternary", func(g *golden) {
			g.spec.Quantize, g.spec.Positions, g.spec.Pooling = qat.Ternary, qat.Rotary, qat.AllTimesteps
		}),
		with("binary", func(g *golden) {
			g.spec.Quantize, g.spec.Positions, g.spec.Pooling = qat.Binary, qat.Learned, qat.Mean
			g.spec.Granularity = quant.PerChannel
			g.outputs, g.classes = 3, []string{"left", "none", "right"}
		}),
		with("int4", func(g *golden) {
			g.spec.Quantize, g.spec.EmbedDim = qat.Int4, g.spec.HiddenSize
		}),
		with("int8", func(g *golden) {
			g.spec.Quantize, g.spec.Positions, g.spec.Granularity = qat.Int8, qat.Rotary, quant.PerChannel
			g.outputs = 11
		}),
		with("recording", func(g *golden) {
			g.spec.Quantize, g.spec.Pooling = qat.Ternary, qat.Mean
			g.spec.LayerModes = []spec.LayerMode{{Pattern: "blocks.0.ffn.*", Mode: qat.Int8}, {Pattern: "*.attn.out", Mode: qat.Binary}, {Pattern: "blocks.1.ffn.up", Mode: qat.Int4}}
			g.pipeline = &preprocess.Pipeline{
				Channels: []string{"gx", "gy"}, Frame: 4, Hop: 2, Center: true, Window: 13, Missing: true,
				Scale: preprocess.Scaler{Mean: []float64{0.1, -0.7}, Std: []float64{1.3, 0.9}},
			}
			inputs := preprocess.Identity(g.pipeline.Features())
			inputs.Mean[1], inputs.Std[1] = 0.01, 0.7
			g.pipeline.Inputs = &inputs
			g.spec.EmbedDim = g.pipeline.Features()
			g.outputs, g.targets = 2, &preprocess.Scaler{Mean: []float64{20, -1}, Std: []float64{3.7, 0.011}}
		}),
	}
}

func (g golden) path(ending string) string {
	return filepath.Join("infer", "testdata", g.name+ending)
}

// twin builds the golden's graph; its packed model has all that the golden has.
func (g golden) twin(t *testing.T) (*twin, []byte) {
	w := newTwin(t, g.spec, len(goldenLengths), g.outputs, true)
	var opts []qat.ExportOption
	if g.outputs > 0 {
		opts = append(opts, qat.WithHead(w.head))
	}
	if g.classes != nil {
		opts = append(opts, qat.WithClasses(g.classes))
	}
	if g.targets != nil {
		opts = append(opts, qat.WithTargets(g.targets))
	}
	if g.pipeline != nil {
		opts = append(opts, qat.WithPipeline(g.pipeline))
	}
	var file bytes.Buffer
	require.NoError(t, ok(qat.Export(w.m, opts...)).Encode(&file))
	return w, file.Bytes()
}

// lengths and channels are those of the golden's sequences.
func (g golden) lengths() (lengths []int, channels int) {
	lengths, channels = append(lengths, goldenLengths...), g.spec.EmbedDim
	if g.pipeline != nil {
		lengths[0], channels = 50, len(g.pipeline.Channels)
	}
	return lengths, channels
}

// inputs draws the golden's sequences, one after another.
func (g golden) inputs() (x []float32) {
	lengths, channels := g.lengths()
	for i, n := range lengths {
		row := numbers(uint64(i), n*channels)
		for j := range row {
			if g.pipeline != nil && j%7 == i%7 {
				row[j] = float32(math.NaN())
			}
		}
		x = append(x, row...)
	}
	return x
}

// outputs runs the graph on the golden's sequences.
func (g golden) graphOutputs(t *testing.T, w *twin, x []float32) (y []float32) {
	lengths, channels := g.lengths()
	size := g.spec.WindowSize * g.spec.EmbedDim
	in := sequences{make([]float32, len(lengths)*size), append([]int(nil), lengths...)}
	for b, n := range lengths {
		row := in.x[b*size : (b+1)*size]
		if g.pipeline != nil {
			in.lengths[b] = ok(g.pipeline.ApplyPadded(row, x[:n*channels], n))
		} else {
			copy(row[size-n*channels:], x)
		}
		x = x[n*channels:]
	}
	for _, row := range w.graph(t, in) {
		for k, v := range row {
			if g.targets != nil {
				row[k] = g.targets.Invert(v, k)
			}
		}
		y = append(y, row...)
	}
	return y
}

// TestGoldens: the graph still gives the files of infer/testdata. A golden is a packed
// model, and in a second file, little-endian in 32 bits each, the number of
// sequences, their lengths, their values, and the outputs.
func TestGoldens(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			w, file := g.twin(t)
			if *update {
				lengths, _ := g.lengths()
				x := g.inputs()
				data := binary.LittleEndian.AppendUint32(nil, uint32(len(lengths)))
				for _, n := range lengths {
					data = binary.LittleEndian.AppendUint32(data, uint32(n))
				}
				for _, v := range append(x, g.graphOutputs(t, w, x)...) {
					data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
				}
				require.NoError(t, os.MkdirAll(filepath.Dir(g.path("")), 0o755))
				require.NoError(t, os.WriteFile(g.path(".qat"), file, 0o644))
				require.NoError(t, os.WriteFile(g.path(".bits"), data, 0o644))
			}
			require.True(t, bytes.Equal(readFile(t, g.path(".qat")), file), "%s is not what Export makes", g.path(".qat"))
			lengths, channels := g.lengths()
			data := readFile(t, g.path(".bits"))
			var values []float32
			for i := 0; i+4 <= len(data); i += 4 {
				values = append(values, math.Float32frombits(binary.LittleEndian.Uint32(data[i:])))
			}
			values = values[1+len(lengths):]
			steps := 0
			for _, n := range lengths {
				steps += n
			}
			x, want := values[:steps*channels], values[steps*channels:]
			requireBits(t, fmt.Sprint(g.name, ": the graph"), g.graphOutputs(t, w, x), want)
		})
	}
}
