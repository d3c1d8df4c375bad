package onnx

import (
	"math"

	"github.com/qat-go/qat/internal/kernel"
)

// lanes is the number of partial sums of a canonical sum.
const lanes = 16

// sum is the canonical sum along the last axis, of n, which stays with one element: 16
// strided partial sums and the halving tree. An operator that sums would do it in an
// order of its own.
func (g *graph) sum(x value, rank, n int) value {
	if pad := (lanes - n%lanes) % lanes; pad > 0 {
		pads := make([]int, 2*rank)
		pads[2*rank-1] = pad
		x, n = g.op("Pad", x, g.ints(pads...)), n+pad
	}
	pieces := make([]int, n/lanes)
	for i := range pieces {
		pieces[i] = lanes
	}
	total := g.chain(g.split(x, rank-1, pieces...))
	for half := lanes / 2; half > 0; half /= 2 {
		halves := g.split(total, rank-1, half, half)
		total = g.op("Add", halves[0], halves[1])
	}
	return total
}

// chain adds values in their order.
func (g *graph) chain(x []value) value {
	total := x[0]
	for _, v := range x[1:] {
		total = g.op("Add", total, v)
	}
	return total
}

// products adds a[i]*b[i] in their order, each product rounded on its own, as a matrix
// product of the runtime's would not.
func (g *graph) products(a, b []value) value {
	total := g.op("Mul", a[0], b[0])
	for i := 1; i < len(a); i++ {
		total = g.op("Add", total, g.op("Mul", a[i], b[i]))
	}
	return total
}

// matrix is x [..., in] times w [in, out], each output one chain. rank is that of x.
func (g *graph) matrix(x value, w []float32, rank, in, out int) value {
	return g.products(g.each(x, rank-1, in), g.each(g.floats(w, in, out), 0, in))
}

// exp is kernel.Exp, for numbers.
func (g *graph) exp(x value) value {
	lo, hi := g.float(kernel.ExpLo), g.float(kernel.ExpHi)
	in := g.op("Clip", x, lo, hi)
	n := g.op("Round", g.op("Mul", in, g.float(kernel.Log2E)))
	r := g.op("Sub", in, g.op("Mul", n, g.float(kernel.Ln2Hi)))
	r = g.op("Sub", r, g.op("Mul", n, g.float(kernel.Ln2Lo)))
	coefficients := kernel.ExpCoefficients()
	p := g.float(coefficients[0])
	for _, c := range coefficients[1:] {
		p = g.op("Add", g.op("Mul", p, r), g.float(c))
	}
	p = g.op("Mul", p, g.op("Mul", r, r))
	p = g.op("Add", g.op("Add", p, r), g.float(1))
	half := g.op("Floor", g.op("Mul", n, g.float(0.5)))
	p = g.op("Mul", p, g.powerOfTwo(half))
	p = g.op("Mul", p, g.powerOfTwo(g.op("Sub", n, half)))
	p = g.op("Where", g.op("Less", x, lo), g.float(0), p)
	return g.op("Where", g.op("Greater", x, hi), g.float(float32(math.Inf(1))), p)
}

// powerOfTwo is 2^n for whole n from -64 to 64.
func (g *graph) powerOfTwo(n value) value {
	table := make([]float32, 129)
	for i := range table {
		table[i] = float32(math.Ldexp(1, i-64))
	}
	return g.gather(g.floats(table, len(table)), 0, g.cast(g.op("Add", n, g.float(64)), typeInt64))
}

// silu is kernel.SiLU.
func (g *graph) silu(x value) value {
	return g.op("Div", x, g.op("Add", g.exp(g.op("Neg", x)), g.float(1)))
}

// softmax is that along the last axis, of n.
func (g *graph) softmax(x value, rank, n int, epsilon float32) value {
	e := g.exp(g.op("Sub", x, g.largest(x, rank-1)))
	total := g.sum(e, rank, n)
	if epsilon != 0 {
		total = g.op("Add", total, g.float(epsilon))
	}
	return g.op("Div", e, total)
}

// norm is kernel.Norm of x [N, steps, n].
func (g *graph) norm(x value, k kernel.Norm, gain, bias []float32) value {
	n := len(gain)
	count := g.float(float32(n))
	d := g.op("Sub", x, g.op("Div", g.sum(x, 3, n), count))
	variance := g.op("Div", g.sum(g.op("Mul", d, d), 3, n), count)
	eps := g.float(k.Eps)
	if k.Floor {
		variance = g.op("Where", g.op("Less", variance, eps), g.float(0), variance)
	}
	// By way of float64, where no runtime approximates a root.
	root := g.cast(g.op("Sqrt", g.cast(g.op("Add", variance, eps), typeDouble)), typeFloat)
	// 2/(root+root), to the bit 1/root, which ONNX Runtime would make a division of d.
	hat := g.op("Mul", d, g.op("Div", g.float(2), g.op("Add", root, root)))
	return g.op("Add", g.op("Mul", hat, g.floats(gain, n)), g.floats(bias, n))
}
