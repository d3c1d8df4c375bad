package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/train"
	"github.com/spf13/cobra"
)

// evalCommand is qat eval.
func evalCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "eval DIR",
		Short:   "Evaluate a trained run on its own test part",
		Long:    `Load the latent weights of a run and report its accuracy on the test part of the data that it was trained on.`,
		Example: "  qat eval " + defaultDir,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return work(runEval(cmd, args[0], asJSON))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// evaluation is what qat eval prints with --json.
type evaluation struct {
	Event    string        `json:"event"`
	Test     train.Metrics `json:"test"`
	Examples int           `json:"examples"`
	Dir      string        `json:"dir"`
}

func runEval(cmd *cobra.Command, dir string, asJSON bool) error {
	c, saved, err := train.Load(filepath.Join(dir, latentsFile))
	if errors.Is(err, os.ErrNotExist) {
		if steps, _ := (checkpoint.Dir{Path: filepath.Join(dir, checkpointDir)}).Steps(); len(steps) > 0 {
			return fmt.Errorf("the run in %s is unfinished, at step %d: go on with: qat train --resume %s", dir, steps[0], shellQuote(dir))
		}
	}
	if err != nil {
		return err
	}
	parts, err := saved.Data.Load()
	if err != nil {
		return err
	}
	m, err := c.Evaluate(parts.Test)
	if err != nil {
		return err
	}
	if asJSON {
		writeJSON(cmd.OutOrStdout(), evaluation{"eval", m, parts.Test.Len(), dir})
		return nil
	}
	fmt.Fprintf(cmd.OutOrStdout(), "model          %v\ntest part      %d sequences of %s, %s\n%s",
		saved.Config.Model, parts.Test.Len(), saved.Data.Title(), splitText(saved.Data), metricLines(newConsole(cmd), m))
	return nil
}
