package train

import (
	"fmt"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/dataset"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// program is a compiled graph of model and head for one batch size. Programs of a
// model share their parameters.
type program struct {
	shape
	task    Task
	model   *qat.Model
	head    *qat.Layer
	vm      gorgonia.VM
	x       *tensor.Dense // [batch, T, E]
	steps   *tensor.Dense // [batch], the real lengths; nil where every sequence is whole
	out     *gorgonia.Value
	y       *tensor.Dense // [batch] labels or [batch, K] standardised targets; nil in evaluation
	weights *tensor.Dense // [batch], of the sequences' classes; nil without
	loss    *gorgonia.Value
	ws      gorgonia.Nodes
	grads   []gorgonia.ValueGrad
}

// headName is what the names of the head's parameters begin with.
const headName = "head"

// shape is what a program is built for.
type shape struct {
	batch  int
	uneven bool // the sequences have lengths of their own
}

// newProgram builds a graph for batches of one shape: with a loss and gradients, or
// for evaluation alone. The first one of a model has fresh parameters, the others
// share them.
func (c *Model) newProgram(of shape, learn bool) (*program, error) {
	// The graph holds what is read into, and must not hold p by it: p holds the machine,
	// and a machine in a cycle is never freed, because Gorgonia gives it a finalizer.
	p := &program{shape: of, task: c.task, out: new(gorgonia.Value), loss: new(gorgonia.Value)}
	g := gorgonia.NewGraph()
	opts := []qat.Option{qat.WithSpec(c.spec), qat.WithBatchSize(of.batch), qat.WithSeed(c.seed)}
	if of.uneven {
		lengths, err := p.input(g, "lengths", &p.steps, of.batch)
		if err != nil {
			return nil, err
		}
		opts = append(opts, qat.WithLengths(lengths))
	}
	headOpts := []qat.Option{qat.WithName(headName), qat.WithSeed(c.seed)}
	if c.main != nil {
		opts = append(opts, qat.WithParamsFrom(c.main.model))
		headOpts = append(headOpts, qat.WithParamsFrom(c.main.head))
	}
	var err error
	if p.model, err = qat.Build(g, opts...); err != nil {
		return nil, err
	}
	if p.head, err = qat.Dense(p.model.Output(), c.task.width(), headOpts...); err != nil {
		return nil, err
	}
	p.x = tensor.New(tensor.WithShape(of.batch, c.spec.WindowSize, c.spec.EmbedDim), tensor.Of(tensor.Float32))
	if err := gorgonia.Let(p.model.Input(), p.x); err != nil {
		return nil, err
	}
	gorgonia.Read(p.head.Output(), p.out)
	if !learn {
		p.model.SetTraining(false)
		p.vm = gorgonia.NewTapeMachine(g)
		return p, nil
	}
	return p, p.addLoss(g)
}

// input makes a node with a tensor to write to.
func (p *program) input(g *gorgonia.ExprGraph, name string, to **tensor.Dense, shape ...int) (*gorgonia.Node, error) {
	n := gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
	*to = tensor.New(tensor.WithShape(shape...), tensor.Of(tensor.Float32))
	return n, gorgonia.Let(n, *to)
}

func (p *program) addLoss(g *gorgonia.ExprGraph) error {
	loss, err := p.lossNode(g)
	if err != nil {
		return err
	}
	gorgonia.Read(loss, p.loss)
	p.ws = append(p.model.Learnables(), p.head.Learnables()...)
	if _, err := gorgonia.Grad(loss, p.ws...); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	p.vm, p.grads, err = qat.NewMachine(g, p.ws)
	return err
}

func (p *program) lossNode(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
	if p.task.Regression() {
		targets, err := p.input(g, "targets", &p.y, p.batch, p.task.Outputs)
		if err != nil {
			return nil, err
		}
		return qat.MeanSquaredError(p.head.Output(), targets)
	}
	labels, err := p.input(g, "labels", &p.y, p.batch)
	if err != nil {
		return nil, err
	}
	weights, err := p.input(g, "weights", &p.weights, p.batch)
	if err != nil {
		return nil, err
	}
	return qat.WeightedCrossEntropy(p.head.Output(), labels, weights)
}

// set copies a sequence to place i of the batch, and returns its values there.
func (p *program) set(i int, e dataset.Example, weight float32) []float32 {
	x := p.x.Float32s()
	n := len(x) / p.batch
	copy(x[i*n:(i+1)*n], e.Values)
	if p.steps != nil {
		p.steps.Float32s()[i] = float32(e.Length)
	}
	if p.y != nil {
		y := p.y.Float32s()
		if p.task.Regression() {
			for k, v := range e.Targets {
				y[i*p.task.Outputs+k] = p.task.Targets.Apply(v, k)
			}
		} else {
			y[i] = float32(e.Label)
			p.weights.Float32s()[i] = weight
		}
	}
	return x[i*n : (i+1)*n]
}

// run runs the graph once.
func (p *program) run() error {
	defer p.vm.Reset()
	return p.vm.RunAll()
}

// outputs returns the head's of the last run, [batch, width].
func (p *program) outputs() []float32 { return (*p.out).(*tensor.Dense).Float32s() }

// lossValue returns the loss of the last run.
func (p *program) lossValue() float64 { return float64((*p.loss).Data().(float32)) }
