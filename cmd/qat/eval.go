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
		Use:   "eval DIR",
		Short: "Evaluate a trained run on its own test part",
		Long: `Load the latent weights of a run and report how the model does on the test part of the
data that it was trained on, which must still be where it was.`,
		Example: "  qat eval " + defaultDir + "\n  qat eval mine --json",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		Args: oneDir,
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
	trained, saved, err := train.Load(filepath.Join(dir, latentsFile))
	if errors.Is(err, os.ErrNotExist) {
		if _, none := os.Stat(dir); none != nil {
			return fmt.Errorf("no run: %w", none)
		}
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
	m, err := trained.Evaluate(parts.Test)
	if err != nil {
		return err
	}
	if asJSON {
		writeJSON(cmd.OutOrStdout(), evaluation{"eval", m, parts.Test.Len(), dir})
		return nil
	}
	c := newConsole(cmd)
	if !c.quiet {
		fmt.Fprintf(c, "model          %v\ntest part      %s of %s, %s\n",
			saved.Config.Model, plural(parts.Test.Len(), "sequence"), saved.Data.Title(), splitText(saved.Data, parts))
	}
	fmt.Fprint(c, metricLines(c, m))
	return nil
}
