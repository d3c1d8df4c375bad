package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/spec"
	"github.com/spf13/cobra"
)

// predictOptions is the flags of qat predict.
type predictOptions struct {
	inputFlags
	model, output string
	raw, asJSON   bool
}

// predictCommand is qat predict.
func predictCommand() *cobra.Command {
	o := predictOptions{inputFlags: inputFlags{flag: "input"}}
	cmd := &cobra.Command{
		Use:   "predict MODEL",
		Short: "Run a packed model on new data",
		Long: `Run a packed model, model.qat or a run's directory, on files of raw values: the model
carries the scaling of its input. Print a line for each sequence: where it stands, its
class, and the probability of each class; of a model for numbers, its predictions.

A .ts file holds a series a line, with or without classes; .npy an array [N, T] or
[N, T, E]; .csv a recording, whose channels are found by their names and whose windows
do not overlap unless --stride says so, or a series a row, with nothing but values
besides the columns that --ignore names. - is standard input, whose format shows in its
first bytes. A missing value (an empty cell, ?, NaN) is filled as in training, where the
training data had some; else it is an error, as is a series of another length than the one
that all series in training had. A model without an input pipeline reads its input as it is.`,
		Example: `  qat predict run/model.qat --input new.csv
  qat predict run/model.qat --input new.csv --group session --stride 15 --output labels.csv
  qat predict model.qat --input x.npy --output probabilities.npy
  qat predict model.qat --input x.ts --raw
  tail -n 60 live.csv | qat predict model.qat --input - --json`,
		ValidArgsFunction: completeModels,
		Args:              oneModel,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.model = args[0]
			if err := errors.Join(o.judge(cmd), o.judgeOutput()); err != nil {
				return err
			}
			return work(runPredict(o, cmd.InOrStdin(), newConsole(cmd)))
		},
	}
	f := cmd.Flags()
	f.SortFlags = false // by what they are about
	f.StringSliceVar(&o.files, "input", nil, "files to predict: .ts, .csv, .npy or .npz; of recordings several; - for standard input")
	f.StringVar(&o.output, "output", "-", "file to write: .csv, or .npy for the numbers alone, float32 [N, C]; - for standard output")
	f.BoolVar(&o.raw, "raw", false, "the model's outputs, logits say, in place of classes and probabilities")
	f.BoolVar(&o.asJSON, "json", false, "print a JSON object a line, to standard output, in place of CSV")
	o.register(f)
	o.complete(cmd)
	completeValues(cmd, nil, map[string][]string{"output": {"csv", "npy"}})
	return cmd
}

// judgeOutput refuses a name that does not say its format.
func (o *predictOptions) judgeOutput() error {
	switch {
	case o.output == "-":
		return nil
	case o.asJSON:
		return fmt.Errorf("--json is for standard output, --output %q for a table: want one of them", o.output)
	case endsIn(o.output, ".csv"), endsIn(o.output, ".npy"):
		return nil
	}
	return fmt.Errorf("--output %q: want a name that ends in .csv or .npy, or -", o.output)
}

// endsIn tells whether a name ends so, in any case.
func endsIn(name, ending string) bool { return strings.HasSuffix(strings.ToLower(name), ending) }

func runPredict(o predictOptions, stdin io.Reader, c *console) error {
	p, file, err := openModel(o.model)
	if err != nil {
		return err
	}
	for _, in := range append([]string{file}, o.files...) {
		if sameFile(o.output, in) {
			return fmt.Errorf("--output %s: that is what is read: name another file", o.output)
		}
	}
	if err := writableFile("--output", o.output); o.output != "-" && err != nil {
		return err
	}
	m, err := infer.New(p)
	if err != nil {
		return err
	}
	stream, format, err := o.open(p, stdin)
	if err != nil {
		return err
	}
	for _, note := range stream.Notes {
		c.log.Info(note)
	}
	all := newPredictions(m, p, o.raw)
	long, most := 0, stepsOf(p)
	if p.Input != nil && p.Input.Longest > 0 {
		most = p.Input.Longest
	}
	err = predictEach(m, o.expected(p, format, stream.All()), func(one dataset.Series, out []float32) error {
		if one.Steps > most {
			long++
		}
		return all.add(one.Where, out)
	})
	if err != nil {
		return err
	}
	if long > 0 && format == dataset.FormatWide {
		c.log.Warn("rows are longer than any that the model was trained on: a column that is no value, as a class, is to be named by --ignore",
			"rows", long, "steps in training", most)
	}
	if o.asJSON {
		all.writeJSON(c)
	} else if err := all.write(o.output, c); err != nil {
		return unprefixed(err)
	}
	if o.output != "-" && !c.quiet {
		fmt.Fprintf(c, "%s by %s, in %s\n", plural(len(all.where), "prediction"), file, o.output)
	}
	return nil
}

// predictions are what a model makes of sequences, in order.
type predictions struct {
	model   *infer.Model
	classes []string // nil where labels and probabilities are not asked for
	columns []string // of values
	steps   bool     // each sequence has an output a step

	where  []string
	step   []int // with steps, from 1
	labels []string
	values []float32 // [rows, columns]
}

func newPredictions(m *infer.Model, p *packed.Model, raw bool) *predictions {
	all := &predictions{model: m, steps: p.Spec.Pooling == spec.AllTimesteps}
	names, kind := m.Classes(), "logit."
	switch {
	case names != nil && !raw:
		all.classes, kind = names, "probability."
	case m.Targets() != nil:
		kind = "target."
	case names == nil:
		kind = "output."
	}
	for i := range m.Width() {
		name := fmt.Sprint(i + 1)
		if names != nil {
			name = names[i]
		}
		all.columns = append(all.columns, kind+name)
	}
	return all
}

// add takes in the rows of outputs of a sequence.
func (p *predictions) add(where string, out []float32) error {
	i := 0
	for row := range slices.Chunk(out, p.model.Width()) {
		i++
		p.where = append(p.where, where)
		if p.steps {
			p.step = append(p.step, i)
		}
		if p.classes != nil {
			label, _, err := p.model.Label(row)
			if err != nil {
				return err
			}
			p.labels = append(p.labels, label)
			if row, err = p.model.Probabilities(row, row); err != nil {
				return err
			}
		}
		p.values = append(p.values, row...)
	}
	return nil
}
