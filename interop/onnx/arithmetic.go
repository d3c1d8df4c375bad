package onnx

import (
	"slices"

	"github.com/qat-go/qat/internal/kernel"
)

// The arithmetic of internal/kernel in elementary operations: every sum in the same
// order, every product rounded before it is added. What a runtime fuses or adds up in an
// order of its own, as its matrix product, softmax or layer norm, has other last bits;
// and one of those, before a rounding to int8 codes, becomes a code.

// lanes is the number of strided partial sums of a canonical reduction, as in
// internal/kernel.
const lanes = 16

// sum is kernel.Sum over the last axis, of n elements, which keeps its place.
// axes is how many x has.
func (g *graph) sum(x value, n, axes int) value {
	groups := (n + lanes - 1) / lanes
	if pad := groups*lanes - n; pad > 0 {
		pads := make([]int64, 2*axes)
		pads[2*axes-1] = int64(pad)
		x = g.op("Pad", x, g.ints(pads...), g.float(0))
	}
	part := x
	if groups > 1 {
		parts := g.split(x, slices.Repeat([]int64{lanes}, groups)...)
		part = parts[0]
		for _, p := range parts[1:] {
			part = g.op("Add", part, p)
		}
	}
	for half := int64(lanes / 2); half > 0; half /= 2 { // the tree
		halves := g.split(part, half, half)
		part = g.op("Add", halves[0], halves[1])
	}
	return part
}

// products adds up a[i]*b[i] in ascending order, from 0 on: one chain. fused rounds once a
// step, as a fused multiply-add does: in float64 the product is exact.
func (g *graph) products(a, b []value, fused bool) value {
	total := g.float(0)
	for i := range a {
		if !fused {
			total = g.op("Add", total, g.op("Mul", a[i], b[i]))
			continue
		}
		wide := func(x value) value { return g.cast(x, typeDouble) }
		total = g.cast(g.op("Add", wide(total), g.op("Mul", wide(a[i]), wide(b[i]))), typeFloat)
	}
	return total
}

// zeros is a tensor [N, dims...] of a batch.
func (g *graph) zeros(batch value, dims ...int64) value {
	return g.op("Expand", g.float(0), g.with("Concat", []attribute{intAttribute("axis", 0)}, batch, g.ints(dims...)))
}

// exp is kernel.Exp. NaN gives 0: what is not finite is judged at the model's input.
func (g *graph) exp(x value) value {
	notOver, notUnder := g.op("LessOrEqual", x, g.float(kernel.ExpHi)), g.op("GreaterOrEqual", x, g.float(kernel.ExpLo))
	x = g.op("Where", notOver, x, g.float(0))
	x = g.op("Where", notUnder, x, g.float(0))
	n := g.op("Round", g.op("Mul", x, g.float(kernel.Log2E)))
	r := g.op("Sub", x, g.op("Mul", n, g.float(kernel.Ln2Hi)))
	r = g.op("Sub", r, g.op("Mul", n, g.float(kernel.Ln2Lo)))
	coefficients := kernel.ExpCoefficients()
	p := g.float(coefficients[0])
	for _, c := range coefficients[1:] {
		p = g.op("Add", g.op("Mul", p, r), g.float(c))
	}
	p = g.op("Mul", p, g.op("Mul", r, r))
	p = g.op("Add", g.op("Add", p, r), g.float(1))
	half := g.op("Floor", g.op("Mul", n, g.float(0.5)))
	p = g.op("Mul", p, g.power(half))
	p = g.op("Mul", p, g.power(g.op("Sub", n, half)))
	p = g.op("Where", notOver, p, g.float(infinity))
	return g.op("Where", notUnder, p, g.float(0))
}

// maxPower is the largest power of 2 in each half of exp's scaling.
const maxPower = 64

// power is 2 to the power of n, whole numbers of at most maxPower either way, from a
// table: Pow need not be exact.
func (g *graph) power(n value) value {
	table := make([]float32, 2*maxPower+1)
	table[maxPower] = 1
	for i := 1; i <= maxPower; i++ {
		table[maxPower+i] = 2 * table[maxPower+i-1]
		table[maxPower-i] = table[maxPower-i+1] / 2
	}
	index := g.cast(g.op("Add", n, g.float(maxPower)), typeInt64)
	return g.gather(g.constant(typeFloat, rawFloats(table), int64(len(table))), index, 0)
}

// silu is kernel.SiLU.
func (g *graph) silu(x value) value {
	return g.op("Div", x, g.op("Add", g.exp(g.op("Neg", x)), g.float(1)))
}

// softmax is that of internal/kernel over the last axis, of n elements, which may be
// -Inf for none. axes is how many x has.
func (g *graph) softmax(x value, n, axes int, epsilon float32) value {
	e := g.exp(g.op("Sub", x, g.largest(x)))
	total := g.sum(e, n, axes)
	if epsilon != 0 {
		total = g.op("Add", total, g.float(epsilon))
	}
	return g.op("Div", e, total)
}

// scaled is preprocess.Scaler.Apply over the last axis.
func (g *graph) scaled(x value, mean, std []float64) value {
	d := g.op("Sub", g.cast(x, typeDouble), g.row(mean))
	return g.cast(g.op("Div", d, g.row(std)), typeFloat)
}

// unscaled is preprocess.Scaler.Invert over the last axis.
func (g *graph) unscaled(x value, mean, std []float64) value {
	y := g.op("Mul", g.cast(x, typeDouble), g.row(std))
	return g.cast(g.op("Add", y, g.row(mean)), typeFloat)
}

// row is a constant row of float64 numbers.
func (g *graph) row(values []float64) value {
	return g.constant(typeDouble, rawDoubles(values), int64(len(values)))
}
