// Command gorgonia times a training step of the operations that Gorgonia comes with.
package main

import (
	"fmt"
	"log"
	"math"

	"github.com/qat-go/qat/bench/alternatives"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func must(n *G.Node, err error) *G.Node {
	if err != nil {
		log.Fatal(err)
	}
	return n
}

// model is the graph and its parameters.
type model struct {
	alternatives.Config
	g      *G.ExprGraph
	params G.Nodes
}

func (m *model) param(name string, init G.InitWFn, shape ...int) *G.Node {
	p := G.NewTensor(m.g, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName(name), G.WithInit(init))
	m.params = append(m.params, p)
	return p
}

// dense is a linear layer of x [rows, in].
func (m *model) dense(name string, x *G.Node, in, out int) *G.Node {
	w, b := m.param(name+".w", G.GlorotU(1), in, out), m.param(name+".b", G.Zeroes(), 1, out)
	return must(G.BroadcastAdd(must(G.Mul(x, w)), b, nil, []byte{0}))
}

// norm is a layer norm of x [rows, n].
func (m *model) norm(name string, x *G.Node, n int) *G.Node {
	rows := x.Shape()[0]
	column := func(y *G.Node) *G.Node { return must(G.Reshape(y, tensor.Shape{rows, 1})) }
	d := must(G.BroadcastSub(x, column(must(G.Mean(x, 1))), nil, []byte{1}))
	variance := must(G.Mean(must(G.Square(d)), 1))
	deviation := must(G.Sqrt(must(G.Add(variance, G.NewConstant(float32(1e-5))))))
	hat := must(G.BroadcastHadamardDiv(d, column(deviation), nil, []byte{1}))
	gain, bias := m.param(name+".gain", G.Ones(), 1, n), m.param(name+".bias", G.Zeroes(), 1, n)
	return must(G.BroadcastAdd(must(G.BroadcastHadamardProd(hat, gain, nil, []byte{0})), bias, nil, []byte{0}))
}

// block is a pre-norm transformer block, without dropout, of h [batch*steps, hidden].
func (m *model) block(name string, h *G.Node, mask *G.Node) *G.Node {
	size := m.Hidden / m.Heads
	qkv := m.dense(name+".qkv", m.norm(name+".norm_1", h, m.Hidden), m.Hidden, 3*m.Hidden)
	heads := func(i int) *G.Node { // [batch*heads, steps, size]
		x := must(G.Slice(qkv, nil, G.S(i*m.Hidden, (i+1)*m.Hidden)))
		x = must(G.Reshape(x, tensor.Shape{m.Batch, m.Steps, m.Heads, size}))
		return must(G.Reshape(must(G.Transpose(x, 0, 2, 1, 3)), tensor.Shape{m.Batch * m.Heads, m.Steps, size}))
	}
	scores := must(G.BatchedMatMul(heads(0), heads(1), false, true))
	scores = must(G.Mul(scores, G.NewConstant(float32(1/math.Sqrt(float64(size))))))
	scores = must(G.Add(scores, mask))
	weights := must(G.SoftMax(must(G.Reshape(scores, tensor.Shape{m.Batch * m.Heads * m.Steps, m.Steps})), 1))
	out := must(G.BatchedMatMul(must(G.Reshape(weights, tensor.Shape{m.Batch * m.Heads, m.Steps, m.Steps})), heads(2)))
	out = must(G.Transpose(must(G.Reshape(out, tensor.Shape{m.Batch, m.Heads, m.Steps, size})), 0, 2, 1, 3))
	h = must(G.Add(h, m.dense(name+".out", must(G.Reshape(out, h.Shape().Clone())), m.Hidden, m.Hidden)))
	up := m.dense(name+".up", m.norm(name+".norm_2", h, m.Hidden), m.Hidden, 4*m.Hidden)
	silu := must(G.HadamardProd(up, must(G.Sigmoid(up))))
	return must(G.Add(h, m.dense(name+".down", silu, 4*m.Hidden, m.Hidden)))
}

func main() {
	c, seconds := alternatives.Flags()
	m := &model{Config: c, g: G.NewGraph()}
	x := G.NewMatrix(m.g, tensor.Float32, G.WithShape(c.Batch*c.Steps, c.Embed), G.WithName("x"), G.WithInit(G.Gaussian(0, 1)))
	causal := make([]float32, c.Batch*c.Heads*c.Steps*c.Steps)
	for i := range causal {
		if i%c.Steps > i/c.Steps%c.Steps {
			causal[i] = -1e9
		}
	}
	mask := G.NewTensor(m.g, tensor.Float32, 3, G.WithName("mask"), G.WithShape(c.Batch*c.Heads, c.Steps, c.Steps),
		G.WithValue(tensor.New(tensor.WithShape(c.Batch*c.Heads, c.Steps, c.Steps), tensor.WithBacking(causal))))
	targets := make([]float32, c.Batch*c.Classes)
	for i := range c.Batch {
		targets[i*c.Classes+i%c.Classes] = 1
	}
	y := G.NewMatrix(m.g, tensor.Float32, G.WithName("y"), G.WithShape(c.Batch, c.Classes),
		G.WithValue(tensor.New(tensor.WithShape(c.Batch, c.Classes), tensor.WithBacking(targets))))

	h := x
	if c.Embed != c.Hidden {
		h = m.dense("input", x, c.Embed, c.Hidden)
	}
	for i := range c.Layers {
		h = m.block(fmt.Sprint("block_", i), h, mask)
	}
	h = m.norm("final", h, c.Hidden)
	last := must(G.Slice(must(G.Reshape(h, tensor.Shape{c.Batch, c.Steps, c.Hidden})), nil, G.S(c.Steps-1)))
	p := must(G.SoftMax(m.dense("head", last, c.Hidden, c.Classes), 1))
	loss := must(G.Neg(must(G.Mean(must(G.Sum(must(G.HadamardProd(y, must(G.Log(p)))), 1))))))
	if _, err := G.Grad(loss, m.params...); err != nil {
		log.Fatal(err)
	}
	var value G.Value
	G.Read(loss, &value)
	vm := G.NewTapeMachine(m.g, G.BindDualValues(m.params...))
	adam := G.NewAdamSolver(G.WithLearnRate(1e-3))
	alternatives.Measure(seconds, func() float64 {
		vm.Reset()
		if err := vm.RunAll(); err != nil {
			log.Fatal(err)
		}
		if err := adam.Step(G.NodesToValueGrads(m.params)); err != nil {
			log.Fatal(err)
		}
		return float64(value.Data().(float32))
	})
}
