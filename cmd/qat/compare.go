package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/train"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// compareOptions is the flags of qat compare.
type compareOptions struct {
	*recipe
	modes     modes
	seeds     int
	baselines bool
	asJSON    bool
	dir       string
}

// compareCommand is qat compare.
func compareCommand() *cobra.Command {
	o := compareOptions{recipe: newRecipe(false), modes: quant.Modes(), seeds: 5}
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Train every mode alike and compare their results on the test part",
		Long: `Train each mode with one recipe and several seeds, and print of each its result on
the test part (mean and standard deviation), its difference to float (the mean over
pairs of equal seed, with a 95% interval by Student's t), its packed bytes, and what
quantizing the trained float model gives; beside them plain baselines. With -o, draw
it and save the numbers.`,
		Example: `  qat compare
  qat compare --modes float,ternary --seeds 3 -o compared
  qat compare --data a_TRAIN.ts --test a_TEST.ts
  qat compare --modes ternary --seeds 3 --split validation --jitter 0.2`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.judge(cmd); err != nil {
				return err
			}
			if o.seeds < 1 {
				return fmt.Errorf("--seeds %d is below 1", o.seeds)
			}
			return work(runCompare(cmd.Context(), o, newConsole(cmd)))
		},
	}
	o.register(cmd.Flags())
	f := cmd.Flags()
	f.Var(&o.modes, "modes", "modes to train, with commas")
	f.IntVar(&o.seeds, "seeds", o.seeds, "seeds 0 to N-1 of each mode")
	f.BoolVar(&o.baselines, "baselines", true, "compute plain baselines too")
	f.StringVarP(&o.dir, "output", "o", "", "directory for "+compareJSONFile+" and "+comparePNGFile)
	f.BoolVar(&o.asJSON, "json", false, "print one JSON object a line")
	f.SortFlags = false // by what they are about
	o.complete(cmd)
	completeValues(cmd, nil, nil, "output")
	return cmd
}

// comparison is a line of the table. Its numbers are accuracies, as fractions, or
// root mean squared errors.
type comparison struct {
	Event       string    `json:"event"`
	Name        string    `json:"name"`
	Metric      string    `json:"metric"`
	Mean        float64   `json:"mean"`
	Deviation   float64   `json:"standard_deviation"`
	Values      []float64 `json:"values"` // by seed
	PackedBytes int       `json:"packed_bytes,omitempty"`
	// Difference is to float, over pairs of equal seed; nil without float.
	Difference *interval `json:"difference_to_float,omitempty"`
	// AfterTraining is the float models of the same seeds, quantized at the end.
	AfterTraining *summary `json:"quantized_after_training,omitempty"`
}

// summary is a mean over seeds.
type summary struct {
	Mean      float64   `json:"mean"`
	Deviation float64   `json:"standard_deviation"`
	Values    []float64 `json:"values"`
}

func summarize(values []float64) summary {
	s := summary{Mean: stat.Mean(values, nil), Values: values}
	if len(values) > 1 {
		s.Deviation = stat.StdDev(values, nil)
	}
	return s
}

// interval is a mean with the half width of its 95% interval; nil for one value.
type interval struct {
	Mean float64  `json:"mean"`
	Half *float64 `json:"half_width_95,omitempty"`
}

// paired is the mean of a-b with its interval by Student's t.
func paired(a, b []float64) interval {
	d := make([]float64, len(a))
	for i := range d {
		d[i] = a[i] - b[i]
	}
	v := interval{Mean: stat.Mean(d, nil)}
	if n := float64(len(d)); n > 1 {
		half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975) * stat.StdDev(d, nil) / math.Sqrt(n)
		v.Half = &half
	}
	return v
}

// comparing is a comparison under way.
type comparing struct {
	compareOptions
	console *console
	parts   dataset.Parts
	float   []*train.Model // by seed, once they are trained
	lines   []comparison
	bar     *progressbar.ProgressBar // nil where nobody looks
}

func runCompare(ctx context.Context, o compareOptions, c *console) error {
	parts, err := o.source.Load()
	if err != nil {
		return o.asRows(err)
	}
	if err := o.settle(parts.Train); err != nil {
		return err
	}
	if o.dir != "" {
		if err := writable(o.dir); err != nil {
			return err
		}
	}
	r := &comparing{compareOptions: o, console: c, parts: parts}
	if c.terminal && !c.quiet && !o.asJSON {
		r.bar = newBar(c, len(o.modes)*o.seeds, "models")
	}
	if !o.asJSON {
		if !c.quiet {
			describeData(c, o.source, parts)
			describeRecipe(c, o.config, strings.ReplaceAll(o.modes.String(), ",", ", ")+" weights")
			fmt.Fprintln(c)
		}
		r.printHead()
	}
	c.log.Info("comparing", "modes", o.modes.String(), "seeds", o.seeds)
	// Float comes first: the others are held against it.
	list := slices.Clone(o.modes)
	if i := slices.Index(list, quant.Float); i > 0 {
		list = slices.Insert(slices.Delete(list, i, i+1), 0, quant.Float)
	}
	for _, mode := range list {
		line, err := r.mode(ctx, mode)
		if err != nil {
			return err
		}
		r.add(line)
	}
	if o.baselines {
		for _, b := range baselines(parts.Train, parts.Test, func(string) {}) {
			if b.Skipped != "" {
				c.log.Warn("a baseline is missing", "name", b.Name, "reason", b.Skipped)
				continue
			}
			r.add(comparison{Event: "baseline", Name: b.Name, Metric: r.metric(), Mean: b.Value, Values: []float64{b.Value}})
		}
	}
	if o.dir == "" {
		return nil
	}
	err = errors.Join(writeComparison(filepath.Join(o.dir, compareJSONFile), commandLine(ctx), o, r.lines),
		drawComparison(filepath.Join(o.dir, comparePNGFile), r.lines))
	if err == nil && !o.asJSON {
		fmt.Fprintf(c, "\nsaved in %s: %s, %s\n", o.dir, compareJSONFile, comparePNGFile)
	}
	return err
}

// mode trains one mode with every seed.
func (r *comparing) mode(ctx context.Context, mode quant.Mode) (comparison, error) {
	line := comparison{Event: "mode", Name: mode.String(), Metric: r.metric()}
	cfg := r.config
	cfg.Model.Quantize = mode
	var after []float64
	for seed := range r.seeds {
		cfg.Seed = uint64(seed)
		t, err := r.train(ctx, cfg)
		if err != nil {
			return line, err
		}
		if err := r.checkParity(t.Model); err != nil {
			return line, err
		}
		value, err := r.score(t.Model)
		if err != nil {
			return line, err
		}
		r.console.log.Info("trained", "mode", mode, "seed", seed, r.metric(), value)
		line.Values = append(line.Values, value)
		line.PackedBytes = t.Size().PackedBytes
		if mode == quant.Float {
			r.float = append(r.float, t.Model)
		} else if len(r.float) > seed {
			value, err := r.quantizeAfter(cfg, seed)
			if err != nil {
				return line, err
			}
			after = append(after, value)
		}
	}
	s := summarize(line.Values)
	line.Mean, line.Deviation = s.Mean, s.Deviation
	if len(after) > 0 {
		s, d := summarize(after), paired(line.Values, r.lines[0].Values)
		line.AfterTraining, line.Difference = &s, &d
	}
	return line, nil
}

// train trains one model and shows how far it is.
func (r *comparing) train(ctx context.Context, cfg train.Config) (*train.Trainer, error) {
	t, err := train.New(cfg, r.parts.Train, r.parts.Validation)
	if err != nil {
		return nil, err
	}
	for e, err := range t.Steps(ctx) {
		if err != nil {
			return nil, err
		}
		if r.bar != nil {
			r.bar.Describe(fmt.Sprintf("%v, seed %d, epoch %d/%d", cfg.Model.Quantize, cfg.Seed, e.Epoch, e.Epochs))
		}
	}
	if r.bar != nil {
		_ = r.bar.Add(1) // a bar that cannot be drawn must not stop the training
	}
	return t, nil
}

// quantizeAfter is the score of a float model's latents in another mode.
func (r *comparing) quantizeAfter(cfg train.Config, seed int) (float64, error) {
	m, err := train.NewModel(cfg.Model, r.parts.Train, cfg.Seed)
	if err != nil {
		return 0, err
	}
	if err := m.CopyFrom(r.float[seed]); err != nil {
		return 0, err
	}
	return r.score(m)
}

func (r *comparing) score(m *train.Model) (float64, error) {
	metrics, err := m.Evaluate(r.parts.Test)
	_, value := metrics.Score()
	return value, err
}

// checkParity holds a trained model, packed, to its graph.
func (r *comparing) checkParity(m *train.Model) error {
	p, err := exportModel(m, r.parts.Preprocess)
	if err != nil {
		return err
	}
	return m.CheckParity(p, r.parts.Test)
}

// metric is the name of what is compared.
func (r *comparing) metric() string {
	if r.parts.Train.Facts().Outputs > 0 {
		return "RMSE"
	}
	return "accuracy"
}

// printHead prints the table's first line.
func (r *comparing) printHead() {
	unit := r.metric() + ", %"
	if r.parts.Train.Facts().Outputs > 0 {
		unit = r.metric()
	}
	fmt.Fprintf(r.console, "%-20s  %-14s  %-18s  %s\n", "", "", "", "float, quantized")
	fmt.Fprintf(r.console, "%-20s  %-14s  %-18s  %-16s  %s\n", plural(r.seeds, "seed"), unit, "minus float (95%)", "after training", "packed bytes")
}

// add keeps a line and prints it.
func (r *comparing) add(line comparison) {
	c := r.console
	r.lines = append(r.lines, line)
	if r.bar != nil {
		_ = r.bar.Clear() // for the line
	}
	if r.asJSON {
		writeJSON(c, line)
		return
	}
	number := func(v float64) string { return fmt.Sprintf("%.4g", v) }
	if line.Metric == "accuracy" {
		number = func(v float64) string { return fmt.Sprintf("%.1f", 100*v) }
	}
	if line.Event == "baseline" {
		fmt.Fprintf(c, "%-20s  %s\n", line.Name, number(line.Mean))
		return
	}
	spread := func(mean, half float64) string { return number(mean) + " ± " + number(half) }
	difference, after := "", ""
	if d := line.Difference; d != nil {
		if difference = number(d.Mean); d.Half != nil {
			difference = spread(d.Mean, *d.Half)
		}
		after = spread(line.AfterTraining.Mean, line.AfterTraining.Deviation)
	}
	fmt.Fprintf(c, "%-20s  %-14s  %-18s  %-16s  %12d\n", line.Name, spread(line.Mean, line.Deviation), difference, after, line.PackedBytes)
}

// The files of a comparison.
const (
	compareJSONFile = "compare.json"
	comparePNGFile  = "compare.png"
)
