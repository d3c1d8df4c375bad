package infer

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/qat-go/qat/spec"
)

// PredictBatch is Predict for sequences that lie one after another in x, on up to
// GOMAXPROCS goroutines. Each one's outputs have the bits that it has alone.
//
// Shapes: x [sum of lengths, Channels]; lengths [B], the steps of each sequence; the
// result [B, Width], or [sum of Steps(length), Width] with AllTimesteps pooling.
// Errors: as Predict, naming the sequence.
func (m *Model) PredictBatch(dst, x []float32, lengths []int) ([]float32, error) {
	steps, rows, left := 0, 0, len(x)/m.Channels()
	for i, n := range lengths {
		if n < 1 {
			return dst[:0], fmt.Errorf("infer: sequence %d: %d steps, want 1 or more", i, n)
		}
		if n > left {
			return dst[:0], fmt.Errorf("infer: sequence %d: %d steps, but of the %d values only %d steps are left", i, n, len(x), left)
		}
		steps, left = steps+n, left-n
		rows += m.outputRows(n)
	}
	if len(x) != steps*m.Channels() {
		return dst[:0], fmt.Errorf("infer: %d values, want %d steps of %d channels", len(x), steps, m.Channels())
	}
	if len(lengths) == 0 {
		return dst[:0], nil
	}
	dst = sized(dst, rows*m.Width())
	if err := m.share(dst, x, lengths, steps); err != nil {
		return named(dst[:0], err)
	}
	return dst, nil
}

// outputRows is how many rows of outputs n steps have.
func (m *Model) outputRows(n int) int {
	if m.spec.Pooling == spec.AllTimesteps {
		return m.Steps(n)
	}
	return 1
}

// part is one goroutine's share of a batch: consecutive sequences.
type part struct {
	model   *Model
	dst, x  []float32
	lengths []int
	first   int // of the sequences, in the batch
	err     error

	run   func() // does part.predict; made once, for a go statement of it takes no memory
	group *sync.WaitGroup
	next  *workspace // with the part after this one
}

// workPerGoroutine is the number of multiplications that pays for a goroutine.
const workPerGoroutine = 1 << 17

// share splits a batch in parts of about as many steps, and runs them.
func (m *Model) share(dst, x []float32, lengths []int, steps int) error {
	work := m.spec.NumParams() * float64(steps)
	parts := int(min(float64(runtime.GOMAXPROCS(0)), float64(len(lengths)), 1+work/workPerGoroutine))
	lead := m.borrow()
	last, first := lead, 0
	for k := range parts {
		w := lead
		if k > 0 {
			w = m.borrow()
			last.part.next, last = w, w
		}
		n, taken, rows := 0, 0, 0
		for n < len(lengths) && (taken < steps/(parts-k) || k == parts-1) {
			taken += lengths[n]
			rows += m.outputRows(lengths[n])
			n++
		}
		values, outputs := taken*m.Channels(), rows*m.Width()
		w.part.set(m, dst[:outputs], x[:values], lengths[:n], first)
		dst, x, lengths = dst[outputs:], x[values:], lengths[n:]
		steps -= taken
		first += n
		if k > 0 {
			w.part.group = &lead.group
			lead.group.Add(1)
			if w.part.run == nil {
				w.part.run = func() { defer w.part.group.Done(); w.predictPart() }
			}
			go w.part.run()
		}
	}
	lead.predictPart()
	lead.group.Wait()
	return m.gather(lead)
}

// set gives a workspace its part of a batch.
func (p *part) set(m *Model, dst, x []float32, lengths []int, first int) {
	p.model, p.dst, p.x, p.lengths, p.first, p.err, p.next = m, dst, x, lengths, first, nil, nil
}

// predictPart predicts the workspace's part.
func (w *workspace) predictPart() {
	p := &w.part
	dst, x := p.dst, p.x
	for i, n := range p.lengths {
		values, outputs := n*p.model.Channels(), p.model.outputRows(n)*p.model.Width()
		if _, p.err = p.model.predict(w, dst[:outputs:outputs], x[:values]); p.err != nil {
			p.err = fmt.Errorf("sequence %d: %w", p.first+i, p.err)
			return
		}
		dst, x = dst[outputs:], x[values:]
	}
}

// gather gives the parts' workspaces back, and returns the error of the first
// sequence that has one.
func (m *Model) gather(w *workspace) (err error) {
	for w != nil {
		p := &w.part
		if err == nil {
			err = p.err
		}
		next := p.next
		p.set(nil, nil, nil, nil, 0) // hold nothing of the caller's
		m.giveBack(w)
		w = next
	}
	return err
}
