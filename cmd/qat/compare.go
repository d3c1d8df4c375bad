package main

import (
	"context"
	"fmt"
	"io"

	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/train"
	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/stat"
)

// compareCommand is qat compare.
func compareCommand() *cobra.Command {
	r := newRecipe()
	list := modes(quant.Modes())
	seeds := 5
	var asJSON, baselines bool
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Train every mode alike and compare their test accuracies",
		Long: `Train each mode with one recipe and several seeds, and print the mean and standard
deviation of the test accuracy beside two plain baselines on the same split.
Nothing is saved.`,
		Example: `  qat compare
  qat compare --modes ternary --seeds 3 --split validation --jitter 0.1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := r.judge(cmd); err != nil {
				return err
			}
			if seeds < 1 {
				return fmt.Errorf("--seeds %d is below 1", seeds)
			}
			return work(runCompare(cmd.Context(), r, list, seeds, baselines, asJSON, cmd.OutOrStdout()))
		},
	}
	r.register(cmd.Flags())
	cmd.Flags().Var(&list, "modes", "modes to train, with commas")
	cmd.Flags().IntVar(&seeds, "seeds", seeds, "seeds 0 to N-1 of each mode")
	cmd.Flags().BoolVar(&baselines, "baselines", true, "compute 1-nearest-neighbour and logistic regression too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

// comparison is a line of the table.
type comparison struct {
	Event       string    `json:"event"`
	Name        string    `json:"name"`
	Mean        float64   `json:"mean"`
	Deviation   float64   `json:"standard_deviation"`
	Accuracies  []float64 `json:"accuracies"`
	PackedBytes int       `json:"packed_bytes,omitempty"`
}

func (c comparison) print(w io.Writer, asJSON bool) {
	switch {
	case asJSON:
		writeJSON(w, c)
	case c.PackedBytes == 0:
		fmt.Fprintf(w, "%-20s  %.1f\n", c.Name, 100*c.Mean)
	default:
		fmt.Fprintf(w, "%-20s  %.1f ± %.1f  %8d\n", c.Name, 100*c.Mean, 100*c.Deviation, c.PackedBytes)
	}
}

func runCompare(ctx context.Context, r *recipe, list modes, seeds int, baselines, asJSON bool, w io.Writer) error {
	parts, err := r.source.Load()
	if err != nil {
		return err
	}
	if !asJSON {
		fmt.Fprintf(w, "%s, %s split, %d to train on, %d to test on; %d seeds\n%-20s  %s  %s\n",
			r.source.Title(), r.source.Split, parts.Train.Len(), parts.Test.Len(), seeds, "", "accuracy, %", "packed bytes")
	}
	for _, mode := range list {
		c := comparison{Event: "mode", Name: mode.String()}
		cfg := r.config
		cfg.Model.Quantize = mode
		for seed := range seeds {
			cfg.Seed = uint64(seed)
			t, err := train.New(cfg, parts.Train, parts.Validation)
			if err != nil {
				return err
			}
			if err := follow(ctx, t, jsonReporter{io.Discard}, func(train.Event) error { return nil }); err != nil {
				return err
			}
			m, err := t.Evaluate(parts.Test)
			if err != nil {
				return err
			}
			c.Accuracies = append(c.Accuracies, m.Accuracy)
			c.PackedBytes = t.Size().PackedBytes
		}
		c.Mean = stat.Mean(c.Accuracies, nil)
		if seeds > 1 {
			c.Deviation = stat.StdDev(c.Accuracies, nil)
		}
		c.print(w, asJSON)
	}
	if !baselines {
		return nil
	}
	nearest, err := train.NearestNeighbour(parts.Train, parts.Test)
	if err != nil {
		return err
	}
	comparison{Event: "baseline", Name: "1-nearest-neighbour", Mean: nearest, Accuracies: []float64{nearest}}.print(w, asJSON)
	logistic, err := train.LogisticRegression(parts.Train, parts.Test)
	if err != nil {
		return err
	}
	comparison{Event: "baseline", Name: "logistic regression", Mean: logistic, Accuracies: []float64{logistic}}.print(w, asJSON)
	return nil
}
