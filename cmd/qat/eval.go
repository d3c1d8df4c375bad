package main

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/train"
	"github.com/spf13/cobra"
)

// evalOptions is the flags of qat eval.
type evalOptions struct {
	inputFlags
	asJSON bool
}

// evalCommand is qat eval.
func evalCommand() *cobra.Command {
	o := evalOptions{inputFlags: inputFlags{flag: "data", answers: true}}
	cmd := &cobra.Command{
		Use:   "eval DIR | MODEL --data FILE",
		Short: "Evaluate a trained run on its own test part, or a packed model on data",
		Long: `Load the latent weights of a run and report how the model does on the test part of the
data that it was trained on, which must still be where it was. Or run a packed model,
model.qat, on files of raw values with their classes or targets; all that they hold is
measured. The flags beside --json are for that, and mean what they mean to qat train.`,
		Example: "  qat eval " + defaultDir + "\n  qat eval mine --json\n  qat eval " + defaultDir + "/" + modelFile + ` --data digits
  qat eval model.qat --data a_TEST.ts
  qat eval model.qat --data new.csv --label activity --group session --window 60 --stride 15`,
		ValidArgsFunction: completeModels,
		Args:              oneRun,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("data") && !isModel(args[0]) {
				o.given = settings(cmd.Flags())
				if all := listGiven(o.given, unusedInDir); all != "" {
					return fmt.Errorf("%s: of no use for a run, which says what its data is", all)
				}
				return work(runEval(args[0], o.asJSON, newConsole(cmd)))
			}
			if err := o.judge(cmd); err != nil {
				return err
			}
			return work(runEvalModel(args[0], o, cmd.InOrStdin(), newConsole(cmd)))
		},
	}
	f := cmd.Flags()
	f.SortFlags = false // by what they are about
	f.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	f.StringSliceVar(&o.files, "data", nil, "what to measure a packed model on: files, or the test part of "+strings.Join(dataset.Sources(), ", "))
	o.register(f)
	o.complete(cmd)
	return cmd
}

// unusedInDir are the flags for a packed model alone.
var unusedInDir = []string{"format", "group", "ignore", "window", "stride", "any-length", "label", "target", "horizon", "label-rule", "task"}

// oneRun wants a run or a model.
func oneRun(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%d directories, want that of one run, as in: %s %s", len(args), cmd.CommandPath(), defaultDir)
	}
	return nil
}

// isModel says whether path is that of a packed model and not of a run.
func isModel(path string) bool {
	if info, err := os.Stat(path); err == nil {
		return !info.IsDir()
	}
	return strings.HasSuffix(path, ".qat")
}

// evaluation is what qat eval prints with --json.
type evaluation struct {
	Event    string        `json:"event"`
	Test     train.Metrics `json:"test"`
	Examples int           `json:"examples"`
	Dir      string        `json:"dir,omitempty"`
	Model    string        `json:"model,omitempty"`
}

func runEval(dir string, asJSON bool, c *console) error {
	trained, saved, err := loadRun(dir)
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
		writeJSON(c, evaluation{Event: "eval", Test: m, Examples: parts.Test.Len(), Dir: dir})
		return nil
	}
	if !c.quiet {
		fmt.Fprintf(c, "model          %v\ntest part      %s of %s, %s\n",
			saved.Config.Model, plural(parts.Test.Len(), "sequence"), saved.Data.Title(), splitText(saved.Data, parts))
	}
	fmt.Fprint(c, metricLines(c, m))
	return nil
}

func runEvalModel(path string, o evalOptions, stdin io.Reader, c *console) error {
	p, file, err := openModel(path)
	if err != nil {
		return err
	}
	task, err := taskOf(p)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var notes []string
	var series iter.Seq2[dataset.Series, error]
	if len(o.files) == 1 && slices.Contains(dataset.Sources(), o.files[0]) {
		series, err = embeddedSeries(o.files[0], p)
	} else {
		var stream *dataset.Stream
		var format string
		if stream, format, err = o.open(p, stdin); err == nil {
			notes, series = stream.Notes, o.expected(p, format, stream.All())
		}
	}
	if err != nil {
		return err
	}
	meter, err := measure(p, task, series)
	if err != nil {
		return err
	}
	if o.asJSON {
		writeJSON(c, evaluation{Event: "eval", Test: meter.Metrics(), Examples: meter.Len(), Model: file})
		return nil
	}
	if !c.quiet {
		fmt.Fprintf(c, "model          %v\ndata           %s of %s\n", p.Spec, plural(meter.Len(), "sequence"), strings.Join(o.files, ", "))
		for _, note := range notes {
			fmt.Fprintln(c, "note          ", note)
		}
	}
	fmt.Fprint(c, metricLines(c, meter.Metrics()))
	return nil
}

// measure runs a packed model on series that have classes or targets.
func measure(p *packed.Model, task train.Task, series iter.Seq2[dataset.Series, error]) (*train.Meter, error) {
	meter, err := train.NewMeter(task)
	if err != nil {
		return nil, err
	}
	bare, head := *p, *p.Head
	head.Targets = nil // the loss is of standardised targets
	bare.Head = &head
	m, err := infer.New(&bare)
	if err != nil {
		return nil, err
	}
	number := map[string]int{}
	for i, name := range task.Classes {
		number[name] = i
	}
	return meter, predictEach(m, series, func(one dataset.Series, out []float32) error {
		if len(out) != m.Width() {
			return errors.New("the model has an output for each step, and a sequence has one class or target")
		}
		label, known := number[one.Label]
		switch {
		case task.Regression() && len(one.Targets) != task.Outputs:
			return fmt.Errorf("%s: %s, the model predicts %d", one.Where, plural(len(one.Targets), "target"), task.Outputs)
		case !task.Regression() && !known:
			return fmt.Errorf("%s: class %q, want one of %s", one.Where, one.Label, strings.Join(task.Classes, ", "))
		}
		meter.Add(out, dataset.Example{Label: label, Targets: one.Targets})
		return nil
	})
}
