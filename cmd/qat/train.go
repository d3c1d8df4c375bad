package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/interop"
	"github.com/qat-go/qat/train"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// latentsFile and curveFile are what a run directory holds.
const (
	latentsFile = "latents.safetensors"
	curveFile   = "curve.png"
	defaultDir  = "qat-run"
	// checkpointDir is there while a run is unfinished.
	checkpointDir   = "checkpoints"
	keepCheckpoints = 3
)

// trainCommand is qat train.
func trainCommand() *cobra.Command {
	r := newRecipe(true)
	o := trainOptions{recipe: r}
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train a model and report how it does on the test part",
		Long: `Train a model of sequences with quantized weights, for classes or for numbers; report
how it does on the test part; and save the full-precision latent weights, the packed
model to ship, curves, and a page that shows it all. The packed model is held to the
trained one on the test part first, bit for bit.

Ctrl-C finishes the step, saves a checkpoint and says how to go on; a second Ctrl-C
stops at once, and so does the first while the trained model is measured. A finished run in the directory is replaced, an unfinished one is not.
A resumed run ends with the bytes of an uninterrupted one.`,
		Example: `  qat train
  qat train --data a_TRAIN.ts --test a_TEST.ts
  qat train --data mine.csv --label activity --group session --window 60 --stride 15 -o mine
  qat train --data mine.csv --target acc_x --horizon 10 --group session --window 60 --stride 15
  qat train --data series.csv --validation-fraction 0.2 --patience 10
  qat train --quantize float -o float && qat train --init float -o ternary
  qat train --config mine/config.json --quantize binary -o binary
  qat train --json | tail -n 1
  qat train --resume quick`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.judge(cmd); err != nil {
				return err
			}
			return work(runTrain(cmd.Context(), o, newConsole(cmd)))
		},
	}
	r.register(cmd.Flags())
	f := cmd.Flags()
	f.SortFlags = false // by what they are about
	f.StringVarP(&o.dir, "output", "o", defaultDir, "directory for "+latentsFile+", "+reportFile+" and the rest of the run")
	f.StringVar(&o.resume, "resume", "", "go on with the unfinished run in this directory")
	f.DurationVar(&o.every, "checkpoint-every", time.Minute, "time between checkpoints; 0 for none")
	f.IntVar(&o.everySteps, "checkpoint-steps", 0, "steps between checkpoints; 0 for none")
	f.BoolVar(&o.asJSON, "json", false, "print one JSON object a line")
	r.complete(cmd)
	completeValues(cmd, nil, nil, "output", "resume")
	return cmd
}

// trainOptions is the flags of qat train.
type trainOptions struct {
	*recipe
	dir, resume string
	every       time.Duration
	everySteps  int
	asJSON      bool
}

// freeWithResume are the flags that do not belong to the run that is resumed.
var freeWithResume = []string{"resume", "json", "checkpoint-every", "checkpoint-steps", "quiet", "verbose", "log-json"}

func (o *trainOptions) judge(cmd *cobra.Command) error {
	if o.every < 0 || o.everySteps < 0 {
		return fmt.Errorf("--checkpoint-every %v, --checkpoint-steps %d: want 0 or more", o.every, o.everySteps)
	}
	if o.resume == "" {
		var err error
		if o.dir == "" {
			err = errors.New("--output is empty: name a directory")
		}
		return errors.Join(err, o.recipe.judge(cmd))
	}
	var errs []error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if !slices.Contains(freeWithResume, f.Name) {
			errs = append(errs, fmt.Errorf("--%s does not go with --resume: the run goes on as it was begun", f.Name))
		}
	})
	o.dir = o.resume
	return errors.Join(errs...)
}

// result is what a run ends with, and the last line of --json.
type result struct {
	Event       string        `json:"event"`
	Test        train.Metrics `json:"test"`
	Baselines   []baseline    `json:"baselines"` // on the same parts
	Seconds     float64       `json:"seconds"`
	Parameters  int           `json:"parameters"`
	FloatBytes  int           `json:"float_bytes"`
	PackedBytes int           `json:"packed_bytes"`
	Dir         string        `json:"dir"`
	Model       shipped       `json:"model"`
}

func runTrain(ctx context.Context, o trainOptions, c *console) error {
	say := newReporter(c, o.asJSON)
	t, parts, err := o.open(c)
	if err != nil {
		return err
	}
	// What would stop the run at its end must not be found out there.
	if _, err := exportModel(t.Model, parts.Preprocess); err != nil {
		return err
	}
	command, err := o.describe(ctx, t)
	if err != nil {
		return err
	}
	say.begin(t, o.source, parts)
	start := time.Now()
	savesNow(ctx)
	if err := o.follow(ctx, t, say, c.log); err != nil {
		return err
	}
	say.trained(t)
	seconds := time.Since(start).Seconds()
	f := &finished{Trainer: t, source: o.source, parts: parts, command: command}
	if err := o.finish(f, say); err != nil {
		return o.withWayOn(err)
	}
	size := t.Size()
	say.end(result{"done", f.metrics, f.baselines, seconds, size.Parameters, size.FloatBytes, size.PackedBytes, o.dir, f.shipped})
	return nil
}

// wayOn is the command that goes on with the run.
func (o *trainOptions) wayOn() string { return "qat train --resume " + shellQuote(o.dir) }

// withWayOn adds to an error of writing how the run goes on from its last
// checkpoint, if it has one.
func (o *trainOptions) withWayOn(err error) error {
	if err == nil || errors.Is(err, train.ErrParity) { // which is no fault of writing
		return err
	}
	steps, none := o.checkpoints().Steps()
	if none != nil || len(steps) == 0 {
		return err
	}
	return fmt.Errorf("%w; the run is saved up to step %d: go on with: %s", err, steps[0], o.wayOn())
}

// describe writes config.json and returns the command that began the run.
func (o *trainOptions) describe(ctx context.Context, t *train.Trainer) (command string, err error) {
	if o.resume != "" { // the run is what it was begun as
		c, err := readRunConfig(filepath.Join(o.dir, configFile))
		if errors.Is(err, os.ErrNotExist) { // lost, and nothing else depends on it
			return commandLine(ctx), nil
		}
		return c.Command, err
	}
	command = commandLine(ctx)
	// What a finished run left here must not stand beside what is not of it.
	for _, name := range []string{latentsFile, modelFile, curveFile, metricsCSVFile, reportFile} {
		if err := os.Remove(filepath.Join(o.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return command, runConfig{command, t.Config(), o.source}.write(o.dir)
}

func (o *trainOptions) checkpoints() checkpoint.Dir {
	return checkpoint.Dir{Path: filepath.Join(o.dir, checkpointDir), Keep: keepCheckpoints}
}

// open makes the trainer, anew or from the last checkpoint that is whole.
func (o *trainOptions) open(c *console) (t *train.Trainer, parts dataset.Parts, err error) {
	if o.resume != "" {
		var other error // for which the checkpoint is not to blame
		damaged, err := o.checkpoints().Latest(func(_ string, f checkpoint.File) (err error) {
			t, o.source, err = train.Resume(f)
			if errors.Is(err, train.ErrData) {
				other, err = err, nil
			}
			return err
		})
		if other != nil {
			return nil, parts, other
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil, parts, noRunToResume(o.dir)
		}
		if err != nil {
			return nil, parts, err
		}
		for _, d := range damaged {
			c.log.Warn("passed over a damaged checkpoint", "error", d)
		}
		c.log.Info("resumed", "directory", o.dir, "step", t.Step())
	}
	if parts, err = o.source.Load(); err != nil || t != nil {
		return t, parts, o.asRows(err)
	}
	// What would stop the run at its end must not be found out there.
	if steps, err := o.checkpoints().Steps(); err == nil && len(steps) > 0 {
		return nil, parts, fmt.Errorf("%s holds an unfinished run, at step %d: go on with: %s, or name another directory with -o", o.dir, steps[0], o.wayOn())
	}
	if err := writable(o.dir); err != nil {
		return nil, parts, err
	}
	if err := o.settle(parts.Train); err != nil {
		return nil, parts, err
	}
	t, err = train.New(o.config, parts.Train, parts.Validation)
	if err == nil && o.config.Init != "" {
		err = startFrom(t, o.config.Init, c)
	}
	return t, parts, err
}

// startFrom begins with the latents in a file, of a run or an import.
func startFrom(t *train.Trainer, path string, c *console) error {
	if f, err := checkpoint.Read(path); err == nil && interop.Imported(f) {
		if err := startFromImport(t, f, c); err != nil {
			return fmt.Errorf("--init: %s: %w", path, err)
		}
		return nil
	}
	m, _, err := train.Load(path)
	if err != nil {
		return fmt.Errorf("--init: %w: want the directory of a finished run, or its %s", err, latentsFile)
	}
	if err := t.StartFrom(m); err != nil {
		return fmt.Errorf("--init: %s: %w", path, err)
	}
	return nil
}

// noRunToResume says what is in dir instead of an unfinished run.
func noRunToResume(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("--resume: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, latentsFile)); err == nil {
		return fmt.Errorf("the run in %s is finished: see it with: qat eval %s", dir, shellQuote(dir))
	}
	return fmt.Errorf("%s holds no unfinished run: no checkpoint had been saved in it", dir)
}

// follow runs the training, reports it and writes checkpoints. When ctx ends, and at
// the end of the training, it writes a last one.
func (o *trainOptions) follow(ctx context.Context, t *train.Trainer, say reporter, log *slog.Logger) error {
	save := func() error {
		f, err := t.Checkpoint(o.source)
		if err != nil {
			return err
		}
		log.Info("saving a checkpoint", "directory", o.checkpoints().Path, "step", t.Step())
		return o.checkpoints().Save(t.Step(), f)
	}
	metrics, err := openMetrics(o.dir, t.History())
	if err != nil {
		return o.withWayOn(err)
	}
	defer metrics.close()
	saved := time.Now()
	err = follow(ctx, t, say, func(e train.Event) error {
		if e.EpochEnd {
			if err := metrics.add(t.History()); err != nil {
				return o.withWayOn(err)
			}
		}
		if o.everySteps > 0 && t.Step()%o.everySteps == 0 || o.every > 0 && time.Since(saved) >= o.every {
			saved = time.Now()
			return o.withWayOn(save())
		}
		return nil
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	interrupted := &interruption{fmt.Sprintf("interrupted after step %d; go on with: %s", t.Step(), o.wayOn()), context.Canceled}
	switch failed := save(); {
	case failed == nil:
		savedAll(ctx, interrupted.text)
	case err != nil:
		return o.withWayOn(failed)
	default: // what was trained may still find room
		log.Warn("there is no checkpoint of the end of the training", "error", failed)
		return nil
	}
	if ctx.Err() != nil {
		return interrupted
	}
	return nil
}

// interruption is an end by Ctrl-C with everything saved.
type interruption struct {
	text string
	err  error
}

func (i *interruption) Error() string { return i.text }
func (i *interruption) Unwrap() error { return i.err }

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

// follow runs the training, reports it and calls after behind each step.
func follow(ctx context.Context, t *train.Trainer, say reporter, after func(train.Event) error) error {
	for e, err := range t.Steps(ctx) {
		if err == nil {
			say.step(e)
			if e.EpochEnd {
				history := t.History()
				say.epoch(e, history[len(history)-1])
			}
			err = after(e)
		}
		if err != nil {
			say.abort()
			return err
		}
	}
	return nil
}

func writeJSON(w io.Writer, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only plain structs come here
	}
	fmt.Fprintf(w, "%s\n", b)
}
