package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// benchFlags say what is measured, and for how long.
type benchFlags struct {
	model   spec.Model
	batches []int
	threads int
	kernels []string
	seconds float64
	asJSON  bool
}

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the speed of training and of inference",
		Long: `Measure the speed of training and of inference on random data. Times are of warm
calls; operations are those that are executed, a multiplication and an addition being two.`,
		Example: "  qat bench train\n  qat bench infer " + defaultDir + "/" + modelFile,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(benchTrainCommand(), benchInferCommand())
	return cmd
}

func (b *benchFlags) register(f *pflag.FlagSet) {
	m := &b.model
	*m = spec.Model{EmbedDim: 256, HiddenSize: 256, NumHeads: 4, NumLayers: 4, WindowSize: 60, Dropout: 0.1}
	m.Quantize = quant.Ternary
	f.IntVar(&m.WindowSize, "window-size", m.WindowSize, "steps of a sequence")
	f.IntVar(&m.EmbedDim, "embed-dim", m.EmbedDim, "values of a step")
	f.IntVar(&m.HiddenSize, "hidden-size", m.HiddenSize, "width of the blocks")
	f.IntVar(&m.NumHeads, "num-heads", m.NumHeads, "number of attention heads; divides the hidden size")
	f.IntVar(&m.NumLayers, "num-layers", m.NumLayers, "number of blocks")
	f.Var(&weightModes{model: m}, "quantize", "float, binary, ternary, int4 or int8; of some layers another, as 'ternary,blocks.0.ffn.*=int8'")
	f.Var(textValue{&m.Granularity, "name"}, "granularity", "a scale for each weight (tensor) or for each of its outputs (channel)")
	f.Float64Var(&m.Dropout, "dropout", m.Dropout, "probability of dropping an element, in training")
	f.Var(textValue{&m.Positions, "name"}, "positions", "none, rotary or learned")
	f.Var(textValue{&m.Pooling, "name"}, "pooling", "last or mean")
	f.IntVar(&b.threads, "threads", b.threads, "threads to use; default: as many as there are processors, and for inference also one")
	f.Float64Var(&b.seconds, "seconds", 3, "how long to measure each")
	f.BoolVar(&b.asJSON, "json", false, "print JSON, an object a line")
}

func (b *benchFlags) judge() error {
	var errs []error
	for _, n := range b.batches {
		if n < 1 {
			errs = append(errs, fmt.Errorf("--batch-size: %d is not positive", n))
		}
	}
	for _, name := range b.kernels {
		if !slices.Contains(kernel.Variants(), name) {
			errs = append(errs, fmt.Errorf("--kernel: %q is not here: want of %s", name, strings.Join(kernel.Variants(), ", ")))
		}
	}
	if b.threads < 0 {
		errs = append(errs, fmt.Errorf("--threads: %d is negative", b.threads))
	}
	if !(b.seconds >= 0) {
		errs = append(errs, fmt.Errorf("--seconds: %v is not a length of time", b.seconds))
	}
	if b.model.IsFloat() {
		b.model.Activations = spec.FloatActivations
	}
	return errors.Join(append(errs, b.model.Validate())...)
}

func benchTrainCommand() *cobra.Command {
	b := &benchFlags{batches: []int{32}}
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Measure a training step",
		Long: `Measure a training step on random data: forward, cross entropy of ten classes,
backward and AdamW.`,
		Example: "  qat bench train\n  qat bench train --batch-size 32 --window-size 8 --embed-dim 8 --hidden-size 64 --num-layers 2 --threads 1 --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := b.judge(); err != nil {
				return err
			}
			return work(runBenchTrain(cmd.Context(), b, cmd.OutOrStdout()))
		},
	}
	cmd.Flags().IntVar(&b.batches[0], "batch-size", b.batches[0], "sequences a step")
	b.register(cmd.Flags())
	return cmd
}

func benchInferCommand() *cobra.Command {
	b := &benchFlags{batches: []int{1, 32}}
	cmd := &cobra.Command{
		Use:   "infer [MODEL]",
		Short: "Measure predictions of a packed model, or of a random one",
		Long: `Measure predictions of sequences of a whole window, in batches, of a packed model or of
one with random weights: with each implementation of the kernels that this CPU can run,
and with one thread and with all.`,
		Example:           "  qat bench infer " + defaultDir + "/" + modelFile + "\n  qat bench infer --hidden-size 64 --num-layers 2 --batch-size 1 --json",
		ValidArgsFunction: completeModels,
		Args:              cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := b.judge(); err != nil {
				return err
			}
			model, err := b.packedModel(cmd, args)
			if err == nil {
				err = runBenchInfer(cmd.Context(), b, model, cmd.OutOrStdout())
			}
			return work(err)
		},
	}
	cmd.Flags().IntSliceVar(&b.batches, "batch-size", b.batches, "sequences a call")
	cmd.Flags().StringSliceVar(&b.kernels, "kernel", kernel.Variants(), "implementations of the kernels")
	b.register(cmd.Flags())
	return cmd
}

// packedModel is what bench infer measures.
//
// Errors: a model and flags that say another; a file that is no model.
func (b *benchFlags) packedModel(cmd *cobra.Command, args []string) (*packed.Model, error) {
	if len(args) == 0 {
		return randomModel(b.model)
	}
	for _, name := range []string{"window-size", "embed-dim", "hidden-size", "num-heads", "num-layers", "quantize", "granularity", "dropout", "positions", "pooling"} {
		if cmd.Flags().Changed(name) {
			return nil, &misuse{fmt.Errorf("--%s is for random models: %s says it itself", name, args[0])}
		}
	}
	return packed.Open(args[0])
}

// timing is what a measurement found.
type timing struct {
	Event      string  `json:"event"`
	Batch      int     `json:"batch"`
	Kernel     string  `json:"kernel"`
	Threads    int     `json:"threads"`
	MedianMS   float64 `json:"median_ms"`
	MinMS      float64 `json:"min_ms"`
	GFLOPS     float64 `json:"gflops"` // of executed operations, at the median
	AllocBytes int64   `json:"alloc_bytes"`
}

// timeCalls times warm calls of f until d has passed.
func timeCalls(ctx context.Context, d time.Duration, f func() error) (t timing, err error) {
	for range 3 {
		if err := f(); err != nil {
			return t, err
		}
	}
	var before, after runtime.MemStats
	var times []float64
	runtime.ReadMemStats(&before)
	for end := time.Now().Add(d); len(times) < 5 || time.Now().Before(end); {
		if err := ctx.Err(); err != nil {
			return t, context.Cause(ctx)
		}
		start := time.Now()
		if err := f(); err != nil {
			return t, err
		}
		times = append(times, float64(time.Since(start).Nanoseconds())/1e6)
	}
	runtime.ReadMemStats(&after)
	slices.Sort(times)
	t.MedianMS, t.MinMS = times[len(times)/2], times[0]
	t.AllocBytes = int64(after.TotalAlloc-before.TotalAlloc) / int64(len(times))
	return t, nil
}

// threadCounts are those that a measurement is taken with.
func (b *benchFlags) threadCounts(alsoOne bool) []int {
	switch all := runtime.GOMAXPROCS(0); {
	case b.threads > 0:
		return []int{b.threads}
	case alsoOne && all > 1:
		return []int{1, all}
	default:
		return []int{all}
	}
}

// withThreads runs f on n threads.
func withThreads(n int, f func() error) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	return f()
}

func (b *benchFlags) duration() time.Duration { return time.Duration(b.seconds * float64(time.Second)) }

func runBenchTrain(ctx context.Context, b *benchFlags, out io.Writer) error {
	return withThreads(b.threadCounts(false)[0], func() error {
		step, err := newTrainStep(b.model, b.batches[0])
		if err != nil {
			return err
		}
		defer step.close()
		t, err := timeCalls(ctx, b.duration(), step.run)
		if err != nil {
			return err
		}
		return newBenchTable(out, b.asJSON).add("bench train", t.of(b.batches[0], trainOperations(b.model, b.batches[0])))
	})
}

func runBenchInfer(ctx context.Context, b *benchFlags, p *packed.Model, out io.Writer) error {
	m, err := infer.New(p)
	if err != nil {
		return err
	}
	table := newBenchTable(out, b.asJSON)
	defer kernel.Use(kernel.Variant())
	for _, variant := range b.kernels {
		kernel.Use(variant)
		for _, threads := range b.threadCounts(true) {
			for _, batch := range b.batches {
				predict := predictCalls(m, batch)
				err := withThreads(threads, func() error {
					t, err := timeCalls(ctx, b.duration(), predict)
					if err != nil {
						return err
					}
					return table.add("bench infer", t.of(batch, predictOperations(p, batch)))
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// of is the timing of operations for a batch.
func (t timing) of(batch int, operations float64) timing {
	t.Batch, t.Kernel, t.Threads = batch, kernel.Variant(), runtime.GOMAXPROCS(0)
	t.GFLOPS = operations / t.MedianMS / 1e6
	return t
}

// benchTable prints timings as they come.
type benchTable struct {
	out    io.Writer
	asJSON bool
	begun  bool
}

func newBenchTable(out io.Writer, asJSON bool) *benchTable {
	return &benchTable{out: out, asJSON: asJSON}
}

func (b *benchTable) add(event string, t timing) error {
	if b.asJSON {
		t.Event = event
		return json.NewEncoder(b.out).Encode(t)
	}
	if !b.begun {
		b.begun = true
		fmt.Fprintf(b.out, "%8s %8s %6s %10s %10s %10s %12s\n", "kernel", "threads", "batch", "median ms", "min ms", "GFLOP/s", "alloc bytes")
	}
	_, err := fmt.Fprintf(b.out, "%8s %8d %6d %10.4g %10.4g %10.1f %12d\n", t.Kernel, t.Threads, t.Batch, t.MedianMS, t.MinMS, t.GFLOPS, t.AllocBytes)
	return err
}
