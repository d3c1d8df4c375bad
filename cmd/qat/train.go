package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/qat-go/qat/train"
	"github.com/spf13/cobra"
)

// latentsFile and curveFile are what a run directory holds.
const (
	latentsFile = "latents.safetensors"
	curveFile   = "curve.png"
	defaultDir  = "qat-run"
)

// trainCommand is qat train.
func trainCommand() *cobra.Command {
	r := newRecipe()
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train a classifier and report its test accuracy",
		Long: `Train a classifier of sequences with quantized weights, report its accuracy on
the test part, and save the full-precision latent weights and a curve.`,
		Example: `  qat train
  qat train --quantize binary --epochs 10 -o quick
  qat train --json | tail -n 1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := r.judge(cmd); err != nil {
				return err
			}
			return work(runTrain(cmd.Context(), r, dir, asJSON, cmd.OutOrStdout()))
		},
	}
	r.register(cmd.Flags())
	cmd.Flags().Var(textValue{&r.config.Model.Quantize, "mode"}, "quantize", "float, binary, ternary, int4 or int8")
	cmd.Flags().Uint64Var(&r.config.Seed, "seed", 0, "seed of weights, order, dropout and augmentation")
	cmd.Flags().StringVarP(&dir, "output", "o", defaultDir, "directory for "+latentsFile+" and "+curveFile)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

// result is what a run ends with, and the last line of --json.
type result struct {
	Event        string  `json:"event"`
	TestAccuracy float64 `json:"test_accuracy"`
	TestLoss     float64 `json:"test_loss"`
	Seconds      float64 `json:"seconds"`
	Parameters   int     `json:"parameters"`
	FloatBytes   int     `json:"float_bytes"`
	PackedBytes  int     `json:"packed_bytes"`
	Dir          string  `json:"dir"`
}

func runTrain(ctx context.Context, r *recipe, dir string, asJSON bool, stdout io.Writer) error {
	learn, test, err := r.source.Load()
	if err != nil {
		return err
	}
	// A directory that cannot be written must not be found out after the training.
	if err := writable(dir); err != nil {
		return err
	}
	t, err := train.New(r.config, learn)
	if err != nil {
		return err
	}
	say := newReporter(stdout, asJSON)
	say.begin(t, r, learn.Len(), test.Len())
	start := time.Now()
	curve, err := follow(ctx, t, say)
	if err != nil {
		return err
	}
	metrics, err := t.Evaluate(test)
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	if err := t.Save(filepath.Join(dir, latentsFile), train.Saved{Config: t.Config(), Data: r.source}); err != nil {
		return err
	}
	if err := drawCurve(filepath.Join(dir, curveFile), curve, metrics); err != nil {
		return err
	}
	size := t.Size()
	say.end(result{"done", metrics.Accuracy, metrics.Loss, seconds, size.Parameters, size.FloatBytes, size.PackedBytes, dir})
	return nil
}

// writable makes the directory and tries a file in it.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return err
	}
	name := f.Name()
	if err := f.Close(); err != nil {
		return err
	}
	return os.Remove(name)
}

// epochMean is the mean over an epoch's steps, in training mode.
type epochMean struct {
	Event        string  `json:"event"`
	Epoch        int     `json:"epoch"`
	Epochs       int     `json:"epochs"`
	Step         int     `json:"step"`
	Loss         float64 `json:"loss"`
	Accuracy     float64 `json:"accuracy"`
	LearningRate float64 `json:"learning_rate"`
	PerSecond    float64 `json:"examples_per_second"`
}

// follow runs the training, reports it, and returns the epochs' means.
func follow(ctx context.Context, t *train.Trainer, say reporter) ([]epochMean, error) {
	var curve []epochMean
	var loss, accuracy float64
	examples := 0
	for e, err := range t.Steps(ctx) {
		if err != nil {
			say.abort()
			return nil, err
		}
		say.step(e)
		loss += e.Loss * float64(e.Batch)
		accuracy += e.Accuracy * float64(e.Batch)
		examples += e.Batch
		if e.EpochEnd {
			n := float64(examples)
			m := epochMean{"epoch", e.Epoch, e.Epochs, e.Step, loss / n, accuracy / n, e.LearnRate, e.ExamplesPerSecond}
			say.epoch(m)
			curve = append(curve, m)
			loss, accuracy, examples = 0, 0, 0
		}
	}
	return curve, nil
}

func writeJSON(w io.Writer, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only plain structs come here
	}
	fmt.Fprintf(w, "%s\n", b)
}
