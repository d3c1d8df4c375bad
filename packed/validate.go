package packed

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/qat-go/qat/internal/tensorfile"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// maxValues bounds the values or codes of one tensor, so that their number fits an
// int everywhere.
const maxValues = 1 << 30

// Validate reports every fault of m at once, and each names the tensor. A model
// without faults is one that Encode writes and Read accepts.
func (m *Model) Validate() error {
	errs := m.faults()
	for i, err := range errs {
		errs[i] = fmt.Errorf("packed: %w", err)
	}
	return errors.Join(errs...)
}

// faults is Validate as a list. Each is one line.
func (m *Model) faults() []error {
	errs := m.metadataFaults()
	if !m.listable() {
		return errs
	}
	errs = append(errs, m.tensorFaults()...)
	if len(errs) == 0 {
		errs = m.sizeFaults()
	}
	return errs
}

// metadataFaults are those of all that is not a tensor.
func (m *Model) metadataFaults() []error {
	errs := within("spec", m.Spec.Validate())
	for _, l := range m.Spec.LayerModes {
		if !utf8.ValidString(l.Pattern) {
			errs = append(errs, fmt.Errorf("spec: pattern %q is not UTF-8", l.Pattern))
		}
	}
	return append(append(errs, m.headFaults()...), m.inputFaults()...)
}

func (m *Model) headFaults() (errs []error) {
	h := m.Head
	if h == nil {
		return nil
	}
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf("head: "+format, args...)) }
	if h.Width < 1 || h.Width > maxValues {
		fault("width %d is outside 1..%d", h.Width, maxValues)
	}
	if h.Classes != nil && h.Targets != nil {
		fault("classes and targets, want one of them at most")
	}
	if h.Classes != nil && len(h.Classes) != h.Width {
		fault("%d classes, want the width %d", len(h.Classes), h.Width)
	}
	if err := checkClasses(h.Classes); err != nil {
		errs = append(errs, fmt.Errorf("head: %w", err))
	}
	if h.Targets != nil {
		errs = append(errs, within("head: targets", h.Targets.Validate(h.Width))...)
	}
	return errs
}

// checkClasses looks for a class that no one could tell from another.
func checkClasses(classes []string) error {
	first := make(map[string]int, len(classes))
	for i, c := range classes {
		switch j, again := first[c]; {
		case c == "":
			return fmt.Errorf("class %d has no name", i)
		case !utf8.ValidString(c): // JSON would replace the bad bytes in silence
			return fmt.Errorf("class %d, %q, is not UTF-8", i, c)
		case again:
			return fmt.Errorf("classes %d and %d are both named %q", j, i, c)
		}
		first[c] = i
	}
	return nil
}

func (m *Model) inputFaults() []error {
	p := m.Input
	if p == nil {
		return nil
	}
	if errs := within("input", p.Validate()); len(errs) > 0 {
		return errs
	}
	var errs []error
	if p.Features() != m.Spec.EmbedDim || p.Window != m.Spec.WindowSize {
		errs = append(errs, fmt.Errorf("input: window %d of %d features, want the model's %d of %d",
			p.Window, p.Features(), m.Spec.WindowSize, m.Spec.EmbedDim))
	}
	if i := slices.IndexFunc(p.Channels, func(c string) bool { return !utf8.ValidString(c) }); i >= 0 {
		errs = append(errs, fmt.Errorf("input: channel %d, %q, is not UTF-8", i, p.Channels[i]))
	}
	return errs
}

// listable reports whether the sizes are such that params can list the parameters.
func (m *Model) listable() bool {
	return m.Spec.HasSizes() && (m.Head == nil || m.Head.Width >= 1 && m.Head.Width <= maxValues)
}

// params lists the parameters of model and head.
func (m *Model) params() []spec.Param {
	all := m.Spec.Params()
	if m.Head != nil {
		all = append(all, spec.Linear("head", m.Spec.HiddenSize, m.Head.Width, quant.Float)...)
	}
	return all
}

// tensorFaults holds weights and tensors against the parameters.
func (m *Model) tensorFaults() []error {
	params := map[string]spec.Param{}
	var wantWeights, wantTensors, weights, tensors []string
	for _, p := range m.params() {
		params[p.Name] = p
		if p.Mode == quant.Float {
			wantTensors = append(wantTensors, p.Name)
		} else {
			wantWeights = append(wantWeights, p.Name)
		}
	}
	var errs []error
	for i := range m.Weights {
		w := &m.Weights[i]
		weights = append(weights, w.Name)
		if p, ok := params[w.Name]; ok && p.Mode != quant.Float {
			errs = append(errs, w.faults(p, &m.Spec)...)
		}
	}
	for i := range m.Tensors {
		t := &m.Tensors[i]
		tensors = append(tensors, t.Name)
		if p, ok := params[t.Name]; ok && p.Mode == quant.Float {
			errs = append(errs, within("tensor "+t.Name, t.check(p))...)
		}
	}
	return slices.Concat(nameFaults(weights, wantWeights, "quantized weight"), nameFaults(tensors, wantTensors, "float tensor"), errs)
}

// nameFaults says how got is not want, which are names of what.
func nameFaults(got, want []string, what string) (errs []error) {
	if slices.Equal(got, want) {
		return nil
	}
	left := map[string]int{} // 1: to come, 0: has come
	for _, name := range want {
		left[name] = 1
	}
	for _, name := range got {
		n, ok := left[name]
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("tensor %s: the model has no %s of this name", name, what))
		case n == 0:
			errs = append(errs, fmt.Errorf("tensor %s is there twice", name))
		}
		left[name] = 0
	}
	for _, name := range want {
		if left[name] == 1 {
			errs = append(errs, fmt.Errorf("tensor %s is missing", name))
		}
	}
	for i, name := range got {
		if len(errs) == 0 && name != want[i] {
			return []error{fmt.Errorf("tensor %s is in the place of %s, want the order of spec.Model.Params", name, want[i])}
		}
	}
	return errs
}

// faults holds a weight against its parameter.
func (w *Weight) faults(p spec.Param, of *spec.Model) []error {
	codes, scale := "tensor "+w.Name+codesSuffix, "tensor "+w.Name+scaleSuffix
	n, err := product(p.Shape[0], p.Shape[1])
	switch {
	case err != nil:
		return within(codes, err)
	case w.Mode != p.Mode || w.In != p.Shape[0] || w.Out != p.Shape[1]:
		return within(codes, fmt.Errorf("%v [%d, %d], want %v %v", w.Mode, w.In, w.Out, p.Mode, p.Shape))
	case packingOf(w.Mode) == nil: // which the spec's faults tell
		return nil
	}
	var errs []error
	if want := CodeBytes(w.Mode, n); len(w.Codes) != want {
		errs = within(codes, fmt.Errorf("%d bytes, want %d for %d %v codes", len(w.Codes), want, n, w.Mode))
	} else {
		errs = within(codes, w.checkCodes())
	}
	if want := of.Granularity.Scales(w.Out); len(w.Scales) != want {
		return append(errs, fmt.Errorf("%s: %d scales, want %d", scale, len(w.Scales), want))
	}
	errs = append(errs, within(scale, checkScales(w.Scales))...)
	if i := slices.IndexFunc(w.Scales, func(s float32) bool { return s != 1 }); i >= 0 && noScale(of.Numerics, w.Mode) {
		errs = append(errs, fmt.Errorf("%s: scale %d is %v, want 1: %v codes have none in the Edifice numerics", scale, i, w.Scales[i], w.Mode))
	}
	return errs
}

// noScale reports whether codes are the values themselves.
func noScale(n spec.Numerics, mode quant.Mode) bool {
	return n == spec.Edifice && (mode == quant.Binary || mode == quant.Ternary)
}

// checkScales refuses what quant never makes.
func checkScales(scales []float32) error {
	for i, s := range scales {
		if math.IsNaN(float64(s)) || math.IsInf(float64(s), 0) || math.Signbit(float64(s)) {
			return fmt.Errorf("scale %d is %v, want a finite number from 0 up", i, s)
		}
	}
	return nil
}

// check holds a tensor against its parameter.
func (t *Tensor) check(p spec.Param) error {
	n, err := product(p.Shape...)
	switch {
	case err != nil:
		return err
	case !slices.Equal(t.Shape, p.Shape):
		return fmt.Errorf("shape %v, want %v", t.Shape, p.Shape)
	case len(t.Values) != n:
		return fmt.Errorf("%d values for shape %v, want %d", len(t.Values), t.Shape, n)
	}
	return quant.CheckFinite(t.Values)
}

// sizeFaults are for a model that has no others.
func (m *Model) sizeFaults() []error {
	text, err := json.Marshal(m.Spec)
	if err == nil {
		err = checkSpecBytes(len(text))
	}
	if err != nil {
		return []error{err}
	}
	entries := m.entries()
	header, err := m.header(entries, noSum)
	if err == nil && len(header) > tensorfile.MaxHeaderBytes {
		err = fmt.Errorf("a header of %d bytes, want at most %d: too many tensors, or too much metadata", len(header), tensorfile.MaxHeaderBytes)
	}
	if err == nil {
		err = checkTotal(header, entries)
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// checkSpecBytes bounds what the patterns of a spec can cost.
func checkSpecBytes(n int) error {
	if n > maxSpecBytes {
		return fmt.Errorf("spec: %d bytes of JSON, want at most %d", n, maxSpecBytes)
	}
	return nil
}

// product is the number of values of a shape.
func product(shape ...int) (int, error) {
	n := int64(1)
	for _, d := range shape {
		if d < 1 || int64(d) > maxValues/n { // so n*d <= maxValues
			return 0, fmt.Errorf("shape %v, want dimensions from 1 up and at most %d values", shape, maxValues)
		}
		n *= int64(d)
	}
	return int(n), nil
}

// within makes a list of the faults that are joined in err, each with its place.
func within(place string, err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, within(place, e)...)
		}
		return all
	}
	return []error{fmt.Errorf("%s: %w", place, err)}
}
