package qat_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/qat-go/qat"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
)

// The tolerances of the reference numbers: their backend computes in float64 and
// stores float32. Binary and ternary outputs are larger by the missing scale, so
// that the same relative rounding shows more.
const (
	edificeTolerance      = 1e-5
	edificeToleranceCodes = 5e-5
)

type refTensor struct {
	Shape []int     `json:"shape"`
	Data  []float32 `json:"data"`
}

type refParam struct {
	refTensor
	Name  string `json:"name"`
	Layer string `json:"layer"` // in a trace
}

type refModel struct {
	Config struct {
		Batch    int `json:"batch"`
		SeqLen   int `json:"seq_len"`
		EmbedDim int `json:"embed_dim"`
		Hidden   int `json:"hidden_size"`
		Heads    int `json:"num_heads"`
		Layers   int `json:"num_layers"`
		Dropout  float64
		Quantize string
	} `json:"config"`
	Params    []refParam `json:"params"`
	Input     refTensor  `json:"input"`
	Output    refTensor  `json:"output"`
	Cotangent refTensor  `json:"cotangent"`
	Grads     []refParam `json:"grads"`
	GradInput refTensor  `json:"grad_input"`
	Trace     []refParam `json:"trace"`
}

func readRef(t *testing.T, path string, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(readFile(t, path), into))
}

func refFiles(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata/edifice", pattern))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

var blockName = regexp.MustCompile(`^qat_block_(\d+)_(attn_norm|attn_qkv|attn_out|ffn_norm|ffn_up|ffn_down)/`)

// edificeName turns a parameter name of the reference into ours.
func edificeName(t *testing.T, name string) string {
	t.Helper()
	last := name[strings.LastIndex(name, "/")+1:]
	part := "weight"
	if last == "beta" || strings.HasSuffix(last, "bias") {
		part = "bias"
	}
	if m := blockName.FindStringSubmatch(name); m != nil {
		n := int(m[1][0] - '1')
		layer := strings.Replace(strings.Replace(m[2], "attn_q", "attn.q", 1), "attn_o", "attn.o", 1)
		layer = strings.Replace(strings.Replace(layer, "ffn_u", "ffn.u", 1), "ffn_d", "ffn.d", 1)
		return "blocks." + string(rune('0'+n)) + "." + layer + "." + part
	}
	layer := name[:strings.Index(name, "/")]
	require.Contains(t, []string{"final_norm", "input_projection"}, layer)
	return layer + "." + part
}

func refBuild(t *testing.T, g *G.ExprGraph, r *refModel, more ...qat.Option) *qat.Model {
	t.Helper()
	mode, err := qat.ParseMode(r.Config.Quantize)
	require.NoError(t, err)
	m, err := qat.Build(g, append([]qat.Option{qat.WithNumerics(qat.Edifice), qat.WithQuantize(mode),
		qat.WithEmbedDim(r.Config.EmbedDim), qat.WithHiddenSize(r.Config.Hidden), qat.WithNumHeads(r.Config.Heads),
		qat.WithNumLayers(r.Config.Layers), qat.WithWindowSize(r.Config.SeqLen), qat.WithBatchSize(r.Config.Batch),
		qat.WithDropout(r.Config.Dropout)}, more...)...)
	require.NoError(t, err)
	require.Len(t, m.Params(), len(r.Params))
	for _, p := range r.Params {
		require.NoError(t, m.SetParam(edificeName(t, p.Name), p.Data))
	}
	return m
}

func refTolerance(mode string) float64 {
	if mode == "binary" || mode == "ternary" {
		return edificeToleranceCodes
	}
	return edificeTolerance
}

func TestEdificeForward(t *testing.T) {
	for _, file := range refFiles(t, "forward/*.json") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var r refModel
			readRef(t, file, &r)
			g := G.NewGraph()
			m := refBuild(t, g, &r)
			m.SetTraining(false)
			let(t, m.Input(), r.Input.Data)
			requireNear(t, "output", forward(t, m.Output()), r.Output.Data, refTolerance(r.Config.Quantize))
		})
	}
}

func TestEdificeGradients(t *testing.T) {
	for _, file := range refFiles(t, "grad/*.json") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var r refModel
			readRef(t, file, &r)
			g := G.NewGraph()
			m := refBuild(t, g, &r)
			let(t, m.Input(), r.Input.Data)
			_, grads := gradients(t, "tape", circuit{out: m.Output(), leaves: append(m.Learnables(), m.Input()), cotangent: r.Cotangent.Data})
			require.Len(t, r.Grads, len(m.Params()))
			got := map[string][]float32{}
			for i, p := range m.Params() {
				got[p.Name] = grads[i]
			}
			for _, p := range r.Grads {
				requireNear(t, p.Name, got[edificeName(t, p.Name)], p.Data, refTolerance(r.Config.Quantize))
			}
			requireNear(t, "input", grads[len(grads)-1], r.GradInput.Data, refTolerance(r.Config.Quantize))
		})
	}
}

// traceNodes are the names of our nodes for the layers of a reference block.
var traceNodes = map[string]string{
	"attn_norm": "attn_norm:layer_norm", "attn_qkv": "attn.qkv:linear", "attn_compute": "attn:attention",
	"attn_out": "attn.out:linear", "attn_residual": "attn.residual:residual",
	"ffn_norm": "ffn_norm:layer_norm", "ffn_up": "ffn.up:linear", "ffn_act": "ffn:silu",
	"ffn_down": "ffn.down:linear", "ffn_residual": "ffn.residual:residual",
}

var traceName = regexp.MustCompile(`^qat_block_(\d+)_(\w+)$`)

// traceNode returns our node for a layer of the reference, nil for its input and
// for the last step, which is not a node where every step is returned.
func traceNode(t *testing.T, g *G.ExprGraph, layer string) *G.Node {
	t.Helper()
	name := layer + ":layer_norm" // final_norm
	if m := traceName.FindStringSubmatch(layer); m != nil {
		require.Contains(t, traceNodes, m[2])
		name = fmt.Sprintf("blocks.%c.%s", m[1][0]-1, traceNodes[m[2]])
	} else if layer != "final_norm" {
		require.Contains(t, []string{"state_sequence", "last_timestep"}, layer)
		return nil
	}
	nodes := g.ByName(name)
	require.Len(t, nodes, 1, name)
	return nodes[0]
}

func TestEdificeTrace(t *testing.T) {
	for _, file := range refFiles(t, "forward/*.json") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var r refModel
			readRef(t, file, &r)
			g := G.NewGraph()
			m := refBuild(t, g, &r, qat.WithPooling(qat.AllTimesteps))
			m.SetTraining(false)
			let(t, m.Input(), r.Input.Data)
			values := make([]G.Value, len(r.Trace))
			for i, layer := range r.Trace {
				if n := traceNode(t, g, layer.Layer); n != nil {
					G.Read(n, &values[i])
				}
			}
			vm := G.NewTapeMachine(g)
			defer vm.Close()
			require.NoError(t, vm.RunAll())
			compared := 0
			for i, layer := range r.Trace {
				if values[i] != nil {
					requireNear(t, layer.Layer, floats(values[i]), layer.Data, refTolerance(r.Config.Quantize))
					compared++
				}
			}
			require.Equal(t, 10*r.Config.Layers+1, compared)
		})
	}
}

func TestEdificeQuantLinear(t *testing.T) {
	type grads struct {
		Input  refTensor `json:"grad_input"`
		Weight refTensor `json:"grad_weight"`
		Bias   refTensor `json:"grad_bias"`
	}
	for _, mode := range quantized {
		var ref struct {
			Cases []struct {
				Name                                   string
				Input, Weight, Bias, Output, Cotangent refTensor
				Straight                               grads `json:"ste_variant_NOT_reference"`
			}
		}
		readRef(t, refFiles(t, "ops/quant_linear_"+mode.String()+".json")[0], &ref)
		for _, c := range ref.Cases {
			t.Run(mode.String()+"/"+c.Name, func(t *testing.T) {
				g := G.NewGraph()
				x := placeholder(g, "x", c.Input.Shape...)
				let(t, x, c.Input.Data)
				l, err := qat.QuantLinear(x, c.Bias.Shape[0], qat.WithQuantize(mode), qat.WithNumerics(qat.Edifice))
				require.NoError(t, err)
				require.NoError(t, l.SetParam("quant_linear.weight", c.Weight.Data))
				require.NoError(t, l.SetParam("quant_linear.bias", c.Bias.Data))
				out, got := gradients(t, "tape", circuit{out: l.Output(), leaves: append(l.Learnables(), x), cotangent: c.Cotangent.Data})
				requireNear(t, "output", out, c.Output.Data, refTolerance(mode.String()))
				requireNear(t, "weight", got[0], c.Straight.Weight.Data, refTolerance(mode.String()))
				requireNear(t, "bias", got[1], c.Straight.Bias.Data, refTolerance(mode.String()))
				requireNear(t, "input", got[2], c.Straight.Input.Data, refTolerance(mode.String()))
			})
		}
	}
}

func TestEdificeFakeQuantize(t *testing.T) {
	for _, mode := range quantized {
		var ref struct {
			Cases []struct {
				Name              string
				Weight, Quantized refTensor
			}
		}
		readRef(t, refFiles(t, "ops/quantize_weight_"+mode.String()+".json")[0], &ref)
		for _, c := range ref.Cases {
			t.Run(mode.String()+"/"+c.Name, func(t *testing.T) {
				w := placeholder(G.NewGraph(), "w", c.Weight.Shape...)
				let(t, w, c.Weight.Data)
				n, err := qat.FakeQuantize(w, mode, qat.WithNumerics(qat.Edifice))
				require.NoError(t, err)
				// Equal as numbers: the reference's zeros may have another sign.
				require.Equal(t, toFloat64(c.Quantized.Data), toFloat64(forward(t, n)))
			})
		}
	}
}

func toFloat64(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v) + 0 // -0 + 0 is 0
	}
	return y
}
