package train

import (
	"fmt"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/spec"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// program is a compiled graph of model and head for one batch size. Programs of a
// trainer share their parameters.
type program struct {
	model  *qat.Model
	head   *qat.Layer
	vm     gorgonia.VM
	x, y   *tensor.Dense
	steps  *tensor.Dense // the real lengths; nil where every sequence is whole
	logits gorgonia.Value
	loss   gorgonia.Value
	ws     gorgonia.Nodes
	grads  []gorgonia.ValueGrad
}

// headName is what the names of the head's parameters begin with.
const headName = "head"

// shape is what a program is built for.
type shape struct {
	batch  int
	uneven bool // the sequences have lengths of their own
}

// newProgram builds a graph for batches of one shape: with a loss and gradients, or
// for evaluation alone. Where from is given, the parameters are its.
func newProgram(m spec.Model, classes int, of shape, seed uint64, learn bool, from *program) (*program, error) {
	p := &program{}
	n := of.batch
	g := gorgonia.NewGraph()
	opts := []qat.Option{qat.WithSpec(m), qat.WithBatchSize(n), qat.WithSeed(seed)}
	if of.uneven {
		lengths := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(n), gorgonia.WithName("lengths"))
		p.steps = tensor.New(tensor.WithShape(n), tensor.Of(tensor.Float32))
		if err := gorgonia.Let(lengths, p.steps); err != nil {
			return nil, err
		}
		opts = append(opts, qat.WithLengths(lengths))
	}
	headOpts := []qat.Option{qat.WithName(headName), qat.WithSeed(seed)}
	if from != nil {
		opts = append(opts, qat.WithParamsFrom(from.model))
		headOpts = append(headOpts, qat.WithParamsFrom(from.head))
	}
	var err error
	if p.model, err = qat.Build(g, opts...); err != nil {
		return nil, err
	}
	if p.head, err = qat.Dense(p.model.Output(), classes, headOpts...); err != nil {
		return nil, err
	}
	p.x = tensor.New(tensor.WithShape(n, m.WindowSize, m.EmbedDim), tensor.Of(tensor.Float32))
	if err := gorgonia.Let(p.model.Input(), p.x); err != nil {
		return nil, err
	}
	gorgonia.Read(p.head.Output(), &p.logits)
	if !learn {
		p.model.SetTraining(false)
		p.vm = gorgonia.NewTapeMachine(g)
		return p, nil
	}
	return p, p.addLoss(g, n)
}

func (p *program) addLoss(g *gorgonia.ExprGraph, n int) error {
	labels := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(n), gorgonia.WithName("labels"))
	loss, err := qat.CrossEntropy(p.head.Output(), labels)
	if err != nil {
		return err
	}
	gorgonia.Read(loss, &p.loss)
	p.ws = append(p.model.Learnables(), p.head.Learnables()...)
	p.grads = gorgonia.NodesToValueGrads(p.ws)
	if _, err := gorgonia.Grad(loss, p.ws...); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	p.y = tensor.New(tensor.WithShape(n), tensor.Of(tensor.Float32))
	if err := gorgonia.Let(labels, p.y); err != nil {
		return err
	}
	p.vm = gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(p.ws...))
	return nil
}

// load copies the sequences at indices into the batch.
func (p *program) load(s *dataset.Set, indices []int) {
	x := p.x.Float32s()
	n := s.Steps * s.Channels
	for i, at := range indices {
		copy(x[i*n:(i+1)*n], s.At(at))
		if p.y != nil {
			p.y.Float32s()[i] = float32(s.Labels[at])
		}
		if p.steps != nil {
			p.steps.Float32s()[i] = float32(lengthOf(s, at))
		}
	}
}

// lengthOf is the number of steps that are sequence i's own.
func lengthOf(s *dataset.Set, i int) int {
	if s.Lengths == nil {
		return s.Steps
	}
	return s.Lengths[i]
}

// run runs the graph once.
func (p *program) run() error {
	defer p.vm.Reset()
	return p.vm.RunAll()
}

// logit returns the logits of the last run, [n, classes].
func (p *program) logit() []float32 { return p.logits.(*tensor.Dense).Float32s() }

// lossValue returns the loss of the last run.
func (p *program) lossValue() float64 { return float64(p.loss.Data().(float32)) }
