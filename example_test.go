package qat_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/solver"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func ExampleBuild() {
	g := G.NewGraph()
	m, err := qat.Build(g,
		qat.WithEmbedDim(6),
		qat.WithHiddenSize(64),
		qat.WithNumLayers(2),
		qat.WithWindowSize(30),
		qat.WithBatchSize(16),
		qat.WithQuantize(qat.Ternary))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("input", m.Input().Shape(), "output", m.Output().Shape())
	for _, p := range m.Params()[:5] {
		fmt.Println(p.Name, p.Node.Shape(), p.Mode)
	}

	_, err = qat.Build(G.NewGraph(), qat.WithHiddenSize(96), qat.WithNumHeads(5), qat.WithDropout(1))
	fmt.Println(err)
	// Output:
	// input (16, 30, 6) output (16, 64)
	// input_projection.weight (6, 64) float
	// input_projection.bias (64) float
	// blocks.0.attn_norm.weight (64) float
	// blocks.0.attn_norm.bias (64) float
	// blocks.0.attn.qkv.weight (64, 192) ternary
	// qat: Build: WithEmbedDim or WithInput is missing: the number of values in a time step has no default
	// WithNumHeads: hidden size 96 is not a multiple of 5 heads
	// WithDropout: dropout 1 is outside [0, 1)
}

func ExampleBlock() {
	g := G.NewGraph()
	x := G.NewTensor(g, tensor.Float32, 3, G.WithShape(2, 10, 32), G.WithName("x"), G.WithInit(G.Ones()))
	block, err := qat.Block(x, qat.WithNumHeads(4), qat.WithPositions(qat.Rotary), qat.WithName("my_block"))
	if err != nil {
		log.Fatal(err)
	}
	block.SetTraining(false) // no dropout

	vm := G.NewTapeMachine(g)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(block.Output().Value().Shape(), len(block.Learnables()), "parameters, the first", block.Params()[0].Name)
	// Output: (2, 10, 32) 12 parameters, the first my_block.attn_norm.weight
}

func ExampleQuantLinear() {
	g := G.NewGraph()
	x := G.NewMatrix(g, tensor.Float32, G.WithShape(1, 3), G.WithName("x"),
		G.WithValue(tensor.New(tensor.WithShape(1, 3), tensor.WithBacking([]float32{1.27, -0.5, 0.2}))))
	layer, err := qat.QuantLinear(x, 2, qat.WithQuantize(qat.Ternary))
	if err != nil {
		log.Fatal(err)
	}
	// mean |w| is 0.5, so the codes are 1, 0; -1, -1; 0, 1.
	if err := layer.SetParam("quant_linear.weight", []float32{0.75, 0.125, -0.5, -0.75, 0.125, 0.75}); err != nil {
		log.Fatal(err)
	}
	vm := G.NewTapeMachine(g)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", layer.Output().Value().Data())
	// Output: [0.885 0.350]
}

func ExampleFakeQuantize() {
	g := G.NewGraph()
	w := G.NewVector(g, tensor.Float32, G.WithShape(4), G.WithName("w"),
		G.WithValue(tensor.New(tensor.WithShape(4), tensor.WithBacking([]float32{1, -0.25, 0.75, -2}))))
	quantized, err := qat.FakeQuantize(w, qat.Ternary) // scale: mean |w| = 1
	if err != nil {
		log.Fatal(err)
	}
	loss := G.Must(G.Sum(quantized))
	if _, err := G.Grad(loss, w); err != nil {
		log.Fatal(err)
	}
	vm := G.NewTapeMachine(g, G.BindDualValues(w))
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		log.Fatal(err)
	}
	gradient, err := w.Grad()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(quantized.Value().Data(), "with the gradient", gradient.Data())
	// Output: [1 0 1 -1] with the gradient [1 1 1 1]
}

func Example_trainingLoop() {
	g := G.NewGraph()
	x := G.NewTensor(g, tensor.Float32, 3, G.WithShape(32, 60, 6), G.WithName("x"))
	y := G.NewVector(g, tensor.Float32, G.WithShape(32), G.WithName("y"))
	m, err := qat.Build(g, qat.WithInput(x), qat.WithHiddenSize(64), qat.WithNumLayers(1))
	if err != nil {
		log.Fatal(err)
	}
	head, err := qat.Dense(m.Output(), 4, qat.WithName("head"))
	if err != nil {
		log.Fatal(err)
	}
	loss, err := qat.CrossEntropy(head.Output(), y)
	if err != nil {
		log.Fatal(err)
	}
	ws := append(m.Learnables(), head.Learnables()...)
	if _, err := G.Grad(loss, ws...); err != nil {
		log.Fatal(err)
	}
	vm := G.NewTapeMachine(g, G.BindDualValues(ws...))
	defer vm.Close()
	opt, err := solver.NewAdamW(solver.WithLearnRate(0.01))
	if err != nil {
		log.Fatal(err)
	}

	// 32 sequences of four classes: which of the first four channels is up at the end.
	xs, ys := make([]float32, 32*60*6), make([]float32, 32)
	for i := range ys {
		ys[i] = float32(i % 4)
		xs[(i*60+59)*6+i%4] = 1
	}
	var first, last float32
	for step := range 30 {
		if err := G.Let(x, tensor.New(tensor.WithShape(32, 60, 6), tensor.WithBacking(xs))); err != nil {
			log.Fatal(err)
		}
		if err := G.Let(y, tensor.New(tensor.WithShape(32), tensor.WithBacking(ys))); err != nil {
			log.Fatal(err)
		}
		if err := vm.RunAll(); err != nil {
			log.Fatal(err)
		}
		last = loss.Value().Data().(float32)
		if step == 0 {
			first = last
		}
		if err := opt.Step(G.NodesToValueGrads(ws)); err != nil {
			log.Fatal(err)
		}
		vm.Reset()
	}
	fmt.Println("the loss fell to less than a tenth:", last < first/10)

	// Pack what was trained, and run it on integers.
	trained, err := qat.Export(m, qat.WithHead(head), qat.WithClasses([]string{"first", "second", "third", "fourth"}))
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer // trained.Write("model.qat") writes a file
	if err := trained.Encode(&file); err != nil {
		log.Fatal(err)
	}
	model, err := infer.Read(&file)
	if err != nil {
		log.Fatal(err)
	}
	logits, err := model.Predict(nil, xs[2*60*6:3*60*6])
	if err != nil {
		log.Fatal(err)
	}
	class, _, err := model.Label(logits)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("up in sequence 2 is the", class, "channel")
	// Output:
	// the loss fell to less than a tenth: true
	// up in sequence 2 is the third channel
}
