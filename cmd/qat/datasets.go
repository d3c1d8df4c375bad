package main

import (
	"fmt"
	"strings"

	"github.com/qat-go/qat/dataset"
	"github.com/spf13/cobra"
)

// datasetsCommand is qat datasets.
func datasetsCommand() *cobra.Command {
	r := newRecipe()
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "datasets [FILE...]",
		Short: "Say what data holds",
		Long: `Say what files hold: series, lengths, channels, classes, missing values, and what
was decided on the way. Without a file, list the embedded data.`,
		Example: `  qat datasets
  qat datasets a_TRAIN.ts
  qat datasets mine.csv --label activity --group session --window 60`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), strings.Join(dataset.Sources(), "\n"))
				return nil
			}
			r.data.data = args
			if err := r.judgeData(); err != nil {
				return err
			}
			return work(runDatasets(cmd, r.source, asJSON))
		},
	}
	r.registerData(cmd.Flags())
	if err := cmd.Flags().MarkHidden("data"); err != nil { // the files are arguments here
		panic(err)
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func runDatasets(cmd *cobra.Command, s dataset.Source, asJSON bool) error {
	if len(s.Files) == 0 {
		digits, err := dataset.Digits()
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %d series of %d steps of %d channels, %d classes; embedded\n",
			digits.Name, digits.Len(), digits.Steps, digits.Channels, len(digits.Classes))
		return nil
	}
	stream, err := s.Open(s.Files)
	if err != nil {
		return err
	}
	d, err := dataset.Describe(stream)
	if err != nil {
		return err
	}
	if asJSON {
		writeJSON(cmd.OutOrStdout(), d)
		return nil
	}
	fmt.Fprintln(cmd.OutOrStdout(), strings.TrimRight(d.String(), "\n"))
	return nil
}
