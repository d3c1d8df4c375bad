package solver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// anonymous begins the name Gorgonia makes up for a leaf that was given none.
const anonymous = "%!s(<nil>)"

func nameOf(vg gorgonia.ValueGrad) (string, error) {
	if n, ok := vg.(*gorgonia.Node); ok {
		switch {
		case n == nil:
			return "", errors.New("is nil")
		case !n.IsVar():
			return "", fmt.Errorf("is %s, which is computed: only leaves can be stepped", n.Name())
		}
	}
	n, ok := vg.(gorgonia.Namer)
	if !ok {
		return "", fmt.Errorf("has no name: %T is not a gorgonia.Namer", vg)
	}
	name := n.Name()
	if name == "" || strings.HasPrefix(name, anonymous) {
		return "", errors.New("has no name")
	}
	return name, nil
}

// overwritten is a parameter whose gradient the next run overwrites, as those of
// qat.NewMachine: it is left as it is.
type overwritten interface{ Overwritten() }

func newOperand(vg gorgonia.ValueGrad, p *param) (operand, error) {
	o := operand{param: p}
	_, o.keep = vg.(overwritten)
	value := vg.Value()
	if value == nil {
		return o, errors.New("no value")
	}
	grad, err := vg.Grad()
	if err != nil {
		return o, fmt.Errorf("no gradient: %w", err)
	}
	if grad == nil {
		return o, errors.New("no gradient")
	}
	var shape tensor.Shape
	if o.w, shape, err = elements(value); err != nil {
		return o, fmt.Errorf("value %w", err)
	}
	o.shapeNow = shape
	var gradShape tensor.Shape
	if o.g, gradShape, err = elements(grad); err != nil {
		return o, fmt.Errorf("gradient %w", err)
	}
	if !shape.Eq(gradShape) || len(o.w) != len(o.g) {
		return o, fmt.Errorf("gradient of shape %v for a value of shape %v", []int(gradShape), []int(shape))
	}
	if p.m != nil && !slices.Equal(p.shape, o.shapeNow) {
		return o, fmt.Errorf("value of shape %v, but the moments are of shape %v", []int(shape), p.shape)
	}
	return o, nil
}

// elements is the storage of a value, row-major and in one piece.
func elements(v gorgonia.Value) ([]float32, tensor.Shape, error) {
	switch v := v.(type) {
	case *gorgonia.F32:
		if v == nil {
			return nil, nil, errors.New("is nil")
		}
		return unsafe.Slice((*float32)(v), 1), nil, nil
	case *tensor.Dense:
		if v == nil {
			return nil, nil, errors.New("is nil")
		}
		if v.Dtype() != tensor.Float32 {
			return nil, nil, fmt.Errorf("is of type %v, want float32", v.Dtype())
		}
		n := v.Shape().TotalSize()
		if !v.IsNativelyAccessible() || v.RequiresIterator() || v.Dims() > 1 && !v.DataOrder().IsRowMajor() {
			return nil, nil, fmt.Errorf("of shape %v is transposed, masked, in pieces or not in memory, want it row-major and in one piece",
				[]int(v.Shape()))
		}
		x := v.Float32s()
		if len(x) != n {
			return nil, nil, fmt.Errorf("of shape %v has %d elements", []int(v.Shape()), len(x))
		}
		return x, v.Shape(), nil
	}
	return nil, nil, fmt.Errorf("is a %T, want a float32 *tensor.Dense or *gorgonia.F32", v)
}
