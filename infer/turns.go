package infer

import (
	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/spec"
)

// turns are the rotary tables of so many steps.
type turns struct {
	steps int
	*kernel.Rotary
}

// attentionOver returns the model's attention over so many steps. Rotary tables are
// made as far as steps are met: a small file may have a window whose own are large.
func (m *Model) attentionOver(steps int) kernel.Attention {
	a := m.attention
	if m.spec.Positions != spec.Rotary {
		return a
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.turns == nil || m.turns.steps < steps {
		n := min(2*steps, m.spec.WindowSize)
		m.turns = &turns{n, kernel.NewRotary(n, a.HeadSize)}
	}
	a.Rotary = m.turns.Rotary
	return a
}
