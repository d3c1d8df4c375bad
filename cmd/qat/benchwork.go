package main

import (
	"math/rand/v2"
	"slices"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/solver"
	"github.com/qat-go/qat/spec"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// benchClasses is how many classes bench train learns.
const benchClasses = 10

// trainStep is a model with a head on one random batch.
type trainStep struct {
	vm     gorgonia.VM
	solver *solver.AdamW
	params []gorgonia.ValueGrad
}

func newTrainStep(m spec.Model, batch int) (*trainStep, error) {
	g := gorgonia.NewGraph()
	model, err := qat.Build(g, qat.WithSpec(m), qat.WithBatchSize(batch))
	if err != nil {
		return nil, err
	}
	head, err := qat.Dense(model.Output(), benchClasses, qat.WithName("head"))
	if err != nil {
		return nil, err
	}
	labels := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(batch), gorgonia.WithName("labels"))
	loss, err := qat.CrossEntropy(head.Output(), labels)
	if err != nil {
		return nil, err
	}
	learnables := append(slices.Clone(model.Learnables()), head.Learnables()...)
	if _, err := gorgonia.Grad(loss, learnables...); err != nil {
		return nil, err
	}
	s, err := solver.NewAdamW(solver.WithSchedule(solver.Constant(1e-4, 0)))
	if err != nil {
		return nil, err
	}
	classes := make([]float32, batch)
	for i := range classes {
		classes[i] = float32(i % benchClasses)
	}
	x := noise(batch * m.WindowSize * m.EmbedDim)
	for _, in := range []struct {
		node *gorgonia.Node
		data []float32
	}{{model.Input(), x}, {labels, classes}} {
		value := tensor.New(tensor.WithShape(in.node.Shape()...), tensor.WithBacking(in.data))
		if err := gorgonia.Let(in.node, value); err != nil {
			return nil, err
		}
	}
	vm, grads, err := qat.NewMachine(g, learnables)
	if err != nil {
		return nil, err
	}
	return &trainStep{vm, s, grads}, nil
}

func (s *trainStep) run() error {
	if err := s.vm.RunAll(); err != nil {
		return err
	}
	s.vm.Reset()
	return s.solver.Step(s.params)
}

func (s *trainStep) close() { s.vm.Close() }

// noise returns n normal numbers.
func noise(n int) []float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// randomModel is a packed model of fresh weights.
func randomModel(m spec.Model) (*packed.Model, error) {
	model, err := qat.Build(gorgonia.NewGraph(), qat.WithSpec(m), qat.WithBatchSize(1))
	if err != nil {
		return nil, err
	}
	return qat.Export(model)
}

// predictCalls returns a call that predicts a batch of whole windows.
func predictCalls(m *infer.Model, batch int) func() error {
	steps := 1
	for m.Steps(steps) < m.Spec().WindowSize { // of the series that frames are made of
		steps++
	}
	x := noise(batch * steps * m.Channels())
	lengths := slices.Repeat([]int{steps}, batch)
	var dst []float32
	return func() (err error) {
		if batch == 1 {
			dst, err = m.Predict(dst, x)
		} else {
			dst, err = m.PredictBatch(dst, x, lengths)
		}
		return err
	}
}
