package solver_test

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/qat-go/qat/solver"
)

func Example() {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName("x"), gorgonia.WithShape(3, 2),
		gorgonia.WithValue(tensor.New(tensor.WithShape(3, 2), tensor.WithBacking([]float32{1, 0, 0, 1, 1, 1}))))
	y := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithName("y"), gorgonia.WithShape(3),
		gorgonia.WithValue(tensor.New(tensor.WithShape(3), tensor.WithBacking([]float32{2, -1, 1}))))
	w := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithName("w"), gorgonia.WithShape(2),
		gorgonia.WithInit(gorgonia.Zeroes()))

	miss := gorgonia.Must(gorgonia.Sub(gorgonia.Must(gorgonia.Mul(x, w)), y))
	loss := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(miss))))
	if _, err := gorgonia.Grad(loss, w); err != nil {
		panic(err)
	}
	vm := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(w))
	defer vm.Close()

	const steps = 300
	adamw, err := solver.NewAdamW(
		solver.WithSchedule(solver.Cosine(0.1, 20, steps+1)),
		solver.WithClipNorm(1),
	)
	if err != nil {
		panic(err)
	}
	for range steps {
		if err := vm.RunAll(); err != nil {
			panic(err)
		}
		if err := adamw.Step([]gorgonia.ValueGrad{w}); err != nil {
			panic(err)
		}
		vm.Reset()
	}
	fmt.Printf("w = %.2f after %d steps\n", w.Value().Data(), adamw.Steps())
	// Output: w = [2.00 -1.00] after 300 steps
}
