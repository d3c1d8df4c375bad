package train

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/preprocess"
)

// Export packs the model with its head, its classes or the scale of its targets, and
// the pipeline that made its inputs, which is nil where values go in as they are.
//
// Errors: qat.Export's.
func (c *Model) Export(p *preprocess.Pipeline) (*packed.Model, error) {
	opts := []qat.ExportOption{qat.WithHead(c.main.head)}
	if c.task.Regression() {
		opts = append(opts, qat.WithTargets(c.task.Targets))
	} else {
		opts = append(opts, qat.WithClasses(c.task.Classes))
	}
	if p != nil {
		opts = append(opts, qat.WithPipeline(p))
	}
	return qat.Export(c.main.model, opts...)
}

// ErrParity is a packed model whose outputs are not those of its training graph.
var ErrParity = errors.New("the packed model differs from its training graph")

// CheckParity encodes a packed model and reads it again, as a program does that ships
// it, and compares what it makes of data with what the graph makes of it in evaluation
// mode: every output of every sequence, bit for bit, the head's own and those in the
// units of the targets. A packed model with a pipeline runs on what was recorded, as a
// user has it, where the graph runs on what the data's own pipeline made of that.
//
// Errors: ErrParity with the first output that differs and both values, or with what
// keeps the packed model from running; as Evaluate; data that was not recorded, with a
// packed model that reads what was.
func (c *Model) CheckParity(p *packed.Model, d dataset.Data) error {
	fail := func(err error) error { return fmt.Errorf("train: %w: %w", ErrParity, err) }
	var file bytes.Buffer
	if err := p.Encode(&file); err != nil {
		return fail(err)
	}
	again, err := packed.Read(&file)
	if err != nil {
		return fail(err)
	}
	if again.Head == nil || again.Head.Width != c.task.width() || (again.Head.Targets != nil) != c.task.Regression() {
		return fail(fmt.Errorf("its head is not that of %s", c.task))
	}
	check := parity{task: c.task, targets: again.Head.Targets, recorded: again.Input != nil}
	again.Head.Targets = nil // so that it returns what the graph's head does
	if again.Input != nil && d.Facts().Pipeline == nil {
		return errors.New("train: the packed model reads what was recorded, and the data is not made of that: want data with a pipeline")
	}
	if check.runs, err = infer.New(again); err != nil {
		return fail(err)
	}
	return c.eachBatch(d, func(outputs []float32, batch []dataset.Example) error {
		if err := check.batch(outputs, batch); err != nil {
			return fail(err)
		}
		return nil
	})
}

// parity compares batches.
type parity struct {
	task     Task               // of the graph
	targets  *preprocess.Scaler // of the packed model
	recorded bool               // is what the packed model reads
	runs     *infer.Model
	x, out   []float32
	lengths  []int
	seen     int // sequences
}

// batch compares what the graph made of a batch.
func (p *parity) batch(outputs []float32, batch []dataset.Example) (err error) {
	p.x, p.lengths = p.x[:0], p.lengths[:0]
	for _, e := range batch {
		x := e.Values[len(e.Values)-e.Length*p.runs.Spec().EmbedDim:] // less the padding
		if p.recorded {
			x = e.Recorded
		}
		p.x = append(p.x, x...)
		p.lengths = append(p.lengths, len(x)/p.runs.Channels())
	}
	if p.out, err = p.runs.PredictBatch(p.out, p.x, p.lengths); err != nil {
		return fmt.Errorf("from example %d on: %w", p.seen, err)
	}
	width := p.task.width()
	for i, got := range p.out {
		pairs := [][2]float32{{outputs[i], got}}
		if p.task.Regression() {
			pairs = append(pairs, [2]float32{p.task.Targets.Invert(outputs[i], i%width), p.targets.Invert(got, i%width)})
		}
		for _, v := range pairs {
			if a, b := math.Float32bits(v[0]), math.Float32bits(v[1]); a != b {
				return fmt.Errorf("example %d, output %d: the graph has %v (%08x), the packed model %v (%08x)", p.seen+i/width, i%width, v[0], a, v[1], b)
			}
		}
	}
	p.seen += len(batch)
	return nil
}
