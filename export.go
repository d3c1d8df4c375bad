package qat

import (
	"errors"
	"fmt"
	"slices"

	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/spec"
	"gorgonia.org/gorgonia"
)

// ExportOption says what goes into a packed model beside the transformer. Options
// cannot fail: Export judges them together. A later one wins.
type ExportOption func(*exportConfig)

type exportConfig struct {
	head     *Layer
	classes  []string
	targets  *preprocess.Scaler
	pipeline *preprocess.Pipeline
	given    []string // names of the options, in order
	nilOpt   bool
}

func (c *exportConfig) has(option string) bool { return slices.Contains(c.given, option) }

func exportOption(name string, set func(*exportConfig)) ExportOption {
	return func(c *exportConfig) {
		c.given = append(c.given, name)
		set(c)
	}
}

// WithHead packs a Dense layer on the model's output. Without it the packed model's
// outputs are the model's own.
func WithHead(head *Layer) ExportOption {
	return exportOption("WithHead", func(c *exportConfig) { c.head = head })
}

// WithClasses names the head's outputs, which are then logits of these classes.
func WithClasses(names []string) ExportOption {
	return exportOption("WithClasses", func(c *exportConfig) { c.classes = names })
}

// WithTargets says how the head's targets were standardised, so that the packed
// model's outputs are in the units of the data.
func WithTargets(s *preprocess.Scaler) ExportOption {
	return exportOption("WithTargets", func(c *exportConfig) { c.targets = s })
}

// WithPipeline says what made the model's inputs of recordings, so that the packed
// model reads what is recorded.
func WithPipeline(p *preprocess.Pipeline) ExportOption {
	return exportOption("WithPipeline", func(c *exportConfig) { c.pipeline = p })
}

// Export packs a model: each quantized weight as codes and scales, everything else
// as it is. Package infer runs the result, with the outputs of this graph in
// evaluation mode, to the bit. Names in it lack the prefix that WithName gave.
//
// Options: all.
// Errors: every fault of the options at once; NaN or an infinity in a parameter,
// which it names.
func Export(m *Model, opts ...ExportOption) (*packed.Model, error) {
	c := &exportConfig{}
	for _, opt := range opts {
		if opt == nil {
			c.nilOpt = true
			continue
		}
		opt(c)
	}
	if m == nil || m.out == nil {
		return nil, fail("Export", append(c.faults(), errors.New("the model is nil")))
	}
	faults := append(c.faults(), c.fits(m)...)
	if err := fail("Export", faults); err != nil {
		return nil, err
	}
	p := &packed.Model{Spec: m.spec, Input: clonePipeline(c.pipeline)}
	p.Spec.LayerModes = slices.Clone(m.spec.LayerModes)
	for i, ps := range m.spec.Params() {
		faults = append(faults, pack(p, m.paramSet, m.paramSet[i].Name, ps, m.spec))
	}
	if c.head != nil {
		p.Head = &packed.Head{Classes: slices.Clone(c.classes), Targets: cloneScaler(c.targets), Width: c.width()}
		for i, ps := range spec.Linear("head", m.spec.HiddenSize, p.Head.Width, Float) {
			faults = append(faults, pack(p, c.head.paramSet, c.head.paramSet[i].Name, ps, floatSpec()))
		}
	}
	if err := fail("Export", faults); err != nil {
		return nil, err
	}
	if err := p.Validate(); err != nil {
		return nil, fail("Export", []error{err})
	}
	return p, nil
}

// faults returns what is wrong with the options by themselves.
func (c *exportConfig) faults() (errs []error) {
	if c.nilOpt {
		errs = append(errs, errors.New("an option is nil"))
	}
	for _, o := range []struct {
		name  string
		isNil bool
	}{{"WithHead", c.head == nil || c.head.out == nil}, {"WithTargets", c.targets == nil}, {"WithPipeline", c.pipeline == nil}} {
		if c.has(o.name) && o.isNil {
			errs = append(errs, fmt.Errorf("%s: it is nil", o.name))
		}
	}
	for _, name := range []string{"WithClasses", "WithTargets"} {
		if c.has(name) && !c.has("WithHead") {
			errs = append(errs, fmt.Errorf("%s: there is no head: want WithHead too", name))
		}
	}
	if c.has("WithClasses") && c.has("WithTargets") {
		errs = append(errs, errors.New("WithTargets: the outputs are logits of classes already"))
	}
	if c.pipeline != nil {
		if err := c.pipeline.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("WithPipeline: %w", err))
		}
	}
	return errs
}

// fits returns what does not go together with the model.
func (c *exportConfig) fits(m *Model) (errs []error) {
	if p := c.pipeline; p != nil && p.Validate() == nil {
		if n := p.Features(); n != m.spec.EmbedDim {
			errs = append(errs, fmt.Errorf("WithPipeline: it makes %d values a step, the model reads %d", n, m.spec.EmbedDim))
		}
		if p.Window != m.spec.WindowSize {
			errs = append(errs, fmt.Errorf("WithPipeline: it makes windows of %d steps, the model reads %d", p.Window, m.spec.WindowSize))
		}
	}
	if c.head == nil || c.head.out == nil {
		return errs
	}
	if err := c.head.readsAsDense(m.out); err != nil {
		return append(errs, fmt.Errorf("WithHead: %w", err))
	}
	if n := c.width(); c.has("WithClasses") && len(c.classes) != n {
		errs = append(errs, fmt.Errorf("WithClasses: %d names, the head has %d outputs", len(c.classes), n))
	}
	if c.targets != nil {
		if err := c.targets.Validate(c.width()); err != nil {
			errs = append(errs, fmt.Errorf("WithTargets: %w", err))
		}
	}
	return errs
}

// width is the number of outputs of a head that is a Dense layer.
func (c *exportConfig) width() int { return c.head.paramSet[1].Node.Shape().TotalSize() }

// readsAsDense returns why l is no Dense layer on x.
func (l *Layer) readsAsDense(x *gorgonia.Node) error {
	o, _ := l.out.Op().(*op)
	if o == nil {
		return errors.New("it is no layer")
	}
	if dense, ok := o.body.(*linear); !ok || !dense.chain {
		return fmt.Errorf("%s is no Dense layer", o.path)
	}
	for children := l.out.Graph().From(l.out.ID()); children.Next(); {
		if children.Node() == x {
			return nil
		}
	}
	return fmt.Errorf("%s does not read the model's output", o.path)
}

// pack appends one parameter of a set to p, under the name that as has.
func pack(p *packed.Model, set paramSet, name string, as spec.Param, s spec.Model) error {
	values, err := set.ParamValue(name)
	if err != nil {
		return err
	}
	if as.Mode == Float {
		p.Tensors = append(p.Tensors, packed.Tensor{Name: as.Name, Shape: slices.Clone(as.Shape), Values: values})
		if err := checkFinite(values, as.Shape); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	w, err := packed.Quantize(as, values, s)
	if err != nil {
		return fmt.Errorf("%s: %w", name, place(err, as.Shape))
	}
	p.Weights = append(p.Weights, w)
	return nil
}

func clonePipeline(p *preprocess.Pipeline) *preprocess.Pipeline {
	if p == nil {
		return nil
	}
	c := *p
	c.Channels, c.Scale, c.Inputs = slices.Clone(p.Channels), *cloneScaler(&p.Scale), cloneScaler(p.Inputs)
	return &c
}

func cloneScaler(s *preprocess.Scaler) *preprocess.Scaler {
	if s == nil {
		return nil
	}
	return &preprocess.Scaler{Mean: slices.Clone(s.Mean), Std: slices.Clone(s.Std)}
}
