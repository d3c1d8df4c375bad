package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/qat-go/qat/dataset"
	"github.com/spf13/cobra"
)

// datasetsCommand is qat datasets.
func datasetsCommand() *cobra.Command {
	r := newRecipe(true)
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "datasets [FILE...]",
		Short: "Say what data holds and what training would do with it",
		Long: `Say what files hold: series, lengths, channels, classes, missing values; and, by the
same flags, what qat train would do with them: how they are split, framed and scaled,
and the recipe that their shape asks for; or why it would refuse them, with exit status 1.
Without a file, list the embedded data.`,
		Example: `  qat datasets
  qat datasets digits
  qat datasets a_TRAIN.ts --test a_TEST.ts
  qat datasets mine.csv --label activity --group session --window 60 --stride 15`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), strings.Join(dataset.Sources(), "\n"))
				return nil
			}
			if err := cmd.Flags().Set("data", strings.Join(args, ",")); err != nil {
				return err
			}
			r.data.data = args // whatever their names hold
			if err := r.judge(cmd); err != nil {
				return err
			}
			return work(runDatasets(cmd, r, asJSON))
		},
	}
	r.register(cmd.Flags())
	cmd.Flags().SortFlags = false // by what they are about
	r.complete(cmd)
	if err := cmd.Flags().MarkHidden("data"); err != nil { // the files are arguments here
		panic(err)
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func runDatasets(cmd *cobra.Command, r *recipe, asJSON bool) error {
	w := cmd.OutOrStdout()
	if len(r.source.Files) == 0 {
		digits, err := dataset.Digits()
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s: %d series of %d steps of %d channels, %d classes; embedded\n",
			digits.Name, digits.Len(), digits.Steps, digits.Channels, len(digits.Classes))
		return r.plan(w, nil)
	}
	stream, err := r.source.Open(r.source.Files)
	if err != nil {
		return r.asRows(err)
	}
	d, err := dataset.Describe(stream)
	if err != nil {
		return r.asRows(err)
	}
	if asJSON {
		writeJSON(w, d)
		return nil
	}
	fmt.Fprintln(w, strings.TrimRight(d.String(), "\n"))
	return r.plan(w, d.Notes)
}

// plan says what qat train would do by the same flags, or why it would not.
// The notes that are told are left out.
func (r *recipe) plan(w io.Writer, told []string) error {
	fmt.Fprintln(w, "\nqat train would")
	parts, err := r.source.Load()
	if err != nil {
		fmt.Fprintln(w, "refuse them")
		return r.asRows(err)
	}
	if err := r.settle(parts.Train); err != nil {
		return err
	}
	parts.Notes = slices.DeleteFunc(parts.Notes, func(note string) bool { return slices.Contains(told, note) })
	describeData(w, r.source, parts)
	describeRecipe(w, r.config, r.config.Model.Weights())
	return nil
}
