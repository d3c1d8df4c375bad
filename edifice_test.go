package qat_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/qat-go/qat"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
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
	Layer string `json:"layer"`
}

type refModel struct {
	Config struct {
		Batch     int `json:"batch"`
		SeqLen    int `json:"seq_len"`
		EmbedDim  int `json:"embed_dim"`
		Hidden    int `json:"hidden_size"`
		Heads     int `json:"num_heads"`
		Layers    int `json:"num_layers"`
		Dropout   float64
		Quantize  string
		WindowLen int
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
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, into))
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

func f32(shape []int, data []float32) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(append([]float32(nil), data...)))
}

func requireNear(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for i := range want {
		limit := tolerance * max(1, abs(float64(want[i])))
		if diff := abs(float64(got[i]) - float64(want[i])); !(diff <= limit) {
			t.Fatalf("%s: element %d: got %v, want %v within %v", what, i, got[i], want[i], limit)
		}
	}
}

func abs(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}

func refBuild(t *testing.T, g *G.ExprGraph, r *refModel) *qat.Model {
	t.Helper()
	mode, err := qat.ParseMode(r.Config.Quantize)
	require.NoError(t, err)
	m, err := qat.Build(g, qat.WithNumerics(qat.Edifice), qat.WithQuantize(mode),
		qat.WithEmbedDim(r.Config.EmbedDim), qat.WithHiddenSize(r.Config.Hidden), qat.WithNumHeads(r.Config.Heads),
		qat.WithNumLayers(r.Config.Layers), qat.WithWindowSize(r.Config.SeqLen), qat.WithBatchSize(r.Config.Batch),
		qat.WithDropout(r.Config.Dropout))
	require.NoError(t, err)
	require.Len(t, m.Params(), len(r.Params))
	for _, p := range r.Params {
		require.NoError(t, m.SetParam(edificeName(t, p.Name), p.Data))
	}
	return m
}

func refTolerance(r *refModel) float64 {
	if r.Config.Quantize == "binary" || r.Config.Quantize == "ternary" {
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
			require.NoError(t, G.Let(m.Input(), f32(r.Input.Shape, r.Input.Data)))
			vm := G.NewTapeMachine(g)
			defer vm.Close()
			require.NoError(t, vm.RunAll())
			requireNear(t, "output", m.Output().Value().Data().([]float32), r.Output.Data, refTolerance(&r))
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
			cotangent := G.NewMatrix(g, tensor.Float32, G.WithShape(r.Cotangent.Shape...), G.WithName("cotangent"),
				G.WithValue(f32(r.Cotangent.Shape, r.Cotangent.Data)))
			loss := G.Must(G.Sum(G.Must(G.HadamardProd(m.Output(), cotangent))))
			ws := append(m.Learnables(), m.Input())
			_, err := G.Grad(loss, ws...)
			require.NoError(t, err)
			require.NoError(t, G.Let(m.Input(), f32(r.Input.Shape, r.Input.Data)))
			vm := G.NewTapeMachine(g, G.BindDualValues(ws...))
			defer vm.Close()
			require.NoError(t, vm.RunAll())
			require.Len(t, r.Grads, len(m.Params()))
			nodes := map[string]*G.Node{}
			for _, p := range m.Params() {
				nodes[p.Name] = p.Node
			}
			for _, p := range r.Grads {
				requireNear(t, p.Name, grad(t, nodes[edificeName(t, p.Name)]), p.Data, refTolerance(&r))
			}
			requireNear(t, "input", grad(t, m.Input()), r.GradInput.Data, refTolerance(&r))
		})
	}
}

func grad(t *testing.T, n *G.Node) []float32 {
	t.Helper()
	v, err := n.Grad()
	require.NoError(t, err)
	return v.Data().([]float32)
}
