package qat_test

import (
	"bytes"
	"fmt"
	"log"
	"math"
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/solver"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// exported is a small model and its head.
func exported(t testing.TB, s spec.Model, outputs int) (*qat.Model, *qat.Layer) {
	t.Helper()
	m := ok(qat.Build(G.NewGraph(), qat.WithSpec(s), qat.WithName("net")))
	head := ok(qat.Dense(m.Output(), outputs, qat.WithName("net.top")))
	trained(t, m, 1)
	trained(t, head, 2)
	return m, head
}

// Export has every parameter once, in order, without the graph's prefixes: weights as
// quant has them, the rest to the bit, as copies.
func TestExport(t *testing.T) {
	for _, mode := range modes {
		for _, granularity := range []quant.Granularity{quant.PerTensor, quant.PerChannel} {
			s := small(mode)
			s.Positions, s.Granularity = qat.Learned, granularity
			if mode != qat.Float {
				s.LayerModes = []spec.LayerMode{{Pattern: "blocks.1.attn.*", Mode: qat.Int8}, {Pattern: "blocks.0.ffn.up", Mode: qat.Float}}
			}
			m, head := exported(t, s, 5)
			p := ok(qat.Export(m, qat.WithHead(head), qat.WithClasses([]string{"a", "b", "c", "d", "e"})))
			require.Equal(t, s, p.Spec)
			require.Equal(t, &packed.Head{Classes: []string{"a", "b", "c", "d", "e"}, Width: 5}, p.Head)
			require.Nil(t, p.Input)

			latents := append(m.Params(), head.Params()...)
			weights, tensors := p.Weights, p.Tensors
			for i, want := range append(s.Params(), spec.Linear("head", s.HiddenSize, 5, qat.Float)...) {
				values := floats(latents[i].Node.Value())
				if want.Mode == qat.Float {
					require.Equal(t, want.Name, tensors[0].Name)
					require.Equal(t, want.Shape, tensors[0].Shape)
					requireBits(t, want.Name, tensors[0].Values, values)
					tensors = tensors[1:]
					continue
				}
				w := weights[0]
				in, out := want.Shape[0], want.Shape[1]
				require.Equal(t, []any{want.Name, want.Mode, in, out}, []any{w.Name, w.Mode, w.In, w.Out})
				codes, scales := make([]float32, in*out), make([]float32, granularity.Scales(out))
				require.NoError(t, quant.QuantizeWeight(codes, values, out, want.Mode, granularity, scales))
				requireBits(t, want.Name, w.Scales, scales)
				got := make([]int8, in*out)
				w.Unpack(got)
				for k := range in {
					for o := range out {
						require.Equal(t, codes[k*out+o], float32(got[o*in+k]), "%s [%d, %d]", want.Name, k, o)
					}
				}
				weights = weights[1:]
			}
			require.Empty(t, weights)
			require.Empty(t, tensors)
		}
	}
}

// What is exported is a copy: training on, or a change of what was given, changes it
// no more.
func TestExport_copies(t *testing.T) {
	s := small(qat.Ternary)
	pipeline := &preprocess.Pipeline{Channels: make([]string, 11), Scale: preprocess.Identity(11), Frame: 1, Hop: 1, Window: 17}
	for i := range pipeline.Channels {
		pipeline.Channels[i] = fmt.Sprint(i)
	}
	inputs := preprocess.Identity(11)
	pipeline.Inputs = &inputs
	targets := preprocess.Identity(2)
	m, head := exported(t, s, 2)
	export := func() *packed.Model {
		return ok(qat.Export(m, qat.WithHead(head), qat.WithTargets(&targets), qat.WithPipeline(pipeline)))
	}
	p := export()
	encode := func() []byte {
		var b bytes.Buffer
		require.NoError(t, p.Encode(&b))
		return b.Bytes()
	}
	before := encode()
	for _, l := range []parameterised{m, head} {
		for _, param := range l.Params() {
			for i := range param.Node.Value().Data().([]float32) {
				param.Node.Value().Data().([]float32)[i] = 7
			}
		}
	}
	pipeline.Channels[0], pipeline.Scale.Mean[0], pipeline.Scale.Std[0] = "changed", 9, 9
	inputs.Mean[0], inputs.Std[0], targets.Mean[0], targets.Std[0] = 9, 9, 9, 9
	assert.Equal(t, before, encode())
	p = export()
	assert.NotEqual(t, before, encode())
}

func TestExport_errors(t *testing.T) {
	s := small(qat.Ternary)
	m, head := exported(t, s, 5)
	g := m.Output().Graph()
	other := ok(qat.Dense(m.Input(), 5, qat.WithName("other")))
	quantized := ok(qat.QuantLinear(m.Output(), 5, qat.WithName("quantized"), qat.WithQuantize(qat.Float)))
	elsewhere, _ := exported(t, s, 5)
	scaler := func(n int) *preprocess.Scaler { s := preprocess.Identity(n); return &s }
	pipeline := &preprocess.Pipeline{Channels: []string{"x"}, Scale: *scaler(1), Frame: 2, Hop: 1, Window: 16}
	for _, tc := range []struct {
		name string
		m    *qat.Model
		opts []qat.ExportOption
		want string
	}{
		{"no model", nil, nil, "qat: Export: the model is nil"},
		{"empty model", &qat.Model{}, []qat.ExportOption{nil}, "qat: Export: an option is nil\nthe model is nil"},
		{"nil values", m, []qat.ExportOption{qat.WithHead(nil), qat.WithTargets(nil), qat.WithPipeline(nil)},
			"qat: Export: WithHead: it is nil\nWithTargets: it is nil\nWithPipeline: it is nil"},
		{"empty head", m, []qat.ExportOption{qat.WithHead(&qat.Layer{})}, "qat: Export: WithHead: it is nil"},
		{"no head", m, []qat.ExportOption{qat.WithClasses([]string{"a"}), qat.WithTargets(scaler(1))},
			"qat: Export: WithClasses: there is no head: want WithHead too\nWithTargets: there is no head: want WithHead too\nWithTargets: the outputs are logits of classes already"},
		{"a head on the input", m, []qat.ExportOption{qat.WithHead(other)}, "qat: Export: WithHead: other does not read the model's output"},
		{"a head of another model", elsewhere, []qat.ExportOption{qat.WithHead(head)}, "qat: Export: WithHead: net.top does not read the model's output"},
		{"a head that sums otherwise", m, []qat.ExportOption{qat.WithHead(quantized)}, "qat: Export: WithHead: quantized is no Dense layer"},
		{"the model as its head", m, []qat.ExportOption{qat.WithHead(&m.Layer)}, "qat: Export: WithHead: net.final_norm is no Dense layer"},
		{"classes", m, []qat.ExportOption{qat.WithHead(head), qat.WithClasses([]string{"a", "b"})}, "qat: Export: WithClasses: 2 names, the head has 5 outputs"},
		{"no classes", m, []qat.ExportOption{qat.WithHead(head), qat.WithClasses(nil)}, "qat: Export: WithClasses: 0 names, the head has 5 outputs"},
		{"names", m, []qat.ExportOption{qat.WithHead(head), qat.WithClasses([]string{"a", "b", "", "d", "e"})}, "qat: Export: packed: head: class 2 has no name"},
		{"targets", m, []qat.ExportOption{qat.WithHead(head), qat.WithTargets(scaler(4))},
			"qat: Export: WithTargets: preprocess: 4 means and 4 deviations, want 5 of each"},
		{"pipeline", m, []qat.ExportOption{qat.WithPipeline(pipeline)},
			"qat: Export: WithPipeline: it makes 2 values a step, the model reads 11\nWithPipeline: it makes windows of 16 steps, the model reads 17"},
		{"bad pipeline", m, []qat.ExportOption{qat.WithPipeline(&preprocess.Pipeline{Frame: 1, Hop: 1, Window: 17})},
			"qat: Export: WithPipeline: preprocess: no channels, want 1 or more"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := qat.Export(tc.m, tc.opts...)
			require.EqualError(t, err, tc.want)
			assert.True(t, p == nil)
		})
	}
	require.Same(t, g, head.Output().Graph(), "nothing is added to the graph")

	// Every parameter that is not finite, by its name in the graph.
	set := func(l parameterised, name string, at int, v float32) {
		for _, p := range l.Params() {
			if p.Name == name {
				p.Node.Value().Data().([]float32)[at] = v
			}
		}
	}
	set(m, "net.blocks.0.attn.qkv.weight", 79, float32(math.NaN()))
	set(m, "net.final_norm.bias", 3, float32(math.Inf(-1)))
	set(head, "net.top.weight", 6, float32(math.Inf(1)))
	_, err := qat.Export(m, qat.WithHead(head))
	require.EqualError(t, err, "qat: Export: net.blocks.0.attn.qkv.weight: element [1 1] is NaN, not a finite number\n"+
		"net.final_norm.bias: element [3] is -Inf, not a finite number\n"+
		"net.top.weight: element [1 1] is +Inf, not a finite number")
	require.ErrorIs(t, err, quant.ErrNotFinite)
}

func ExampleExport() {
	// Train: 32 sequences of four classes, which of four channels is up at the end.
	g := G.NewGraph()
	x := G.NewTensor(g, tensor.Float32, 3, G.WithShape(32, 20, 4), G.WithName("x"))
	y := G.NewVector(g, tensor.Float32, G.WithShape(32), G.WithName("y"))
	m, err := qat.Build(g, qat.WithInput(x), qat.WithHiddenSize(32), qat.WithNumLayers(1), qat.WithDropout(0))
	if err != nil {
		log.Fatal(err)
	}
	head, err := qat.Dense(m.Output(), 4, qat.WithName("head"))
	if err != nil {
		log.Fatal(err)
	}
	loss, err := qat.CrossEntropy(head.Output(), y)
	if err != nil {
		log.Fatal(err)
	}
	ws := append(m.Learnables(), head.Learnables()...)
	if _, err := G.Grad(loss, ws...); err != nil {
		log.Fatal(err)
	}
	vm := G.NewTapeMachine(g, G.BindDualValues(ws...))
	defer vm.Close()
	opt, err := solver.NewAdamW(solver.WithLearnRate(0.01))
	if err != nil {
		log.Fatal(err)
	}
	xs, ys := make([]float32, 32*20*4), make([]float32, 32)
	for i := range ys {
		ys[i] = float32(i % 4)
		xs[(i*20+19)*4+i%4] = 1
	}
	for range 30 {
		if err := G.Let(x, tensor.New(tensor.WithShape(32, 20, 4), tensor.WithBacking(xs))); err != nil {
			log.Fatal(err)
		}
		if err := G.Let(y, tensor.New(tensor.WithShape(32), tensor.WithBacking(ys))); err != nil {
			log.Fatal(err)
		}
		if err := vm.RunAll(); err != nil {
			log.Fatal(err)
		}
		if err := opt.Step(G.NodesToValueGrads(ws)); err != nil {
			log.Fatal(err)
		}
		vm.Reset()
	}

	// Pack: p.Write makes a file of it, which another program can embed.
	p, err := qat.Export(m, qat.WithHead(head), qat.WithClasses([]string{"north", "east", "south", "west"}))
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if err := p.Encode(&file); err != nil {
		log.Fatal(err)
	}

	// Run, in a program without Gorgonia: three steps of a recording.
	model, err := infer.Read(bytes.NewReader(file.Bytes()))
	if err != nil {
		log.Fatal(err)
	}
	logits, err := model.Predict(nil, []float32{
		0, 0, 0, 0,
		0, 0, 0, 0,
		0, 0, 1, 0,
	})
	if err != nil {
		log.Fatal(err)
	}
	label, _, err := model.Label(logits)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(label)
	// Output: south
}
