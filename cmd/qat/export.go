package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/interop/onnx"
	"github.com/qat-go/qat/train"
	"github.com/spf13/cobra"
)

// The formats of qat export.
const (
	formatQAT  = "qat"
	formatONNX = "onnx"
)

// exportOptions is the flags of qat export.
type exportOptions struct {
	from, output, format string
	weights              onnx.Weights
	noCheck, asJSON      bool
}

// exportCommand is qat export.
func exportCommand() *cobra.Command {
	o := exportOptions{format: formatQAT}
	cmd := &cobra.Command{
		Use:   "export DIR",
		Short: "Pack the latent weights of a run into a model to ship",
		Long: `Pack the latent weights of a finished run: weights as small integers, with everything
that running them takes. The model is written once its outputs have been compared, bit
for bit, with those of the training graph on the test part of the run's data. Where the
data is gone, that is left out and said. qat train does all this at its end.

With --format onnx the packed model, of a run or in a file, is written for ONNX's
runtimes. docs/interop.md says what they make of it, docs/deploy.md how to serve it.`,
		Example: "  qat export " + defaultDir + " -o " + modelFile + "\n  qat export mine -o mine.qat --no-check\n" +
			"  qat export " + defaultDir + " --format onnx\n" +
			"  qat export model.qat --format onnx --onnx-weights int4 -o model.onnx",
		ValidArgsFunction: completeDirs,
		Args:              oneDir,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.from = args[0]
			if err := o.judge(cmd); err != nil {
				return err
			}
			return work(runExport(o, newConsole(cmd)))
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", "", "file to write; default: "+modelFile+" or "+onnxFile+" in the run's directory")
	f.StringVar(&o.format, "format", o.format, "qat or onnx")
	f.Var(textValue{&o.weights, "name"}, "onnx-weights", "narrowest type of the codes in an ONNX file: int8, int4 or int2")
	f.BoolVar(&o.noCheck, "no-check", false, "leave out the comparison with the training graph")
	f.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	completeValues(cmd, map[string][]string{"format": {formatQAT, formatONNX}, "onnx-weights": {"int8", "int4", "int2"}}, map[string][]string{"output": {"qat", "onnx"}})
	return cmd
}

// judge says what is wrong with the flags.
func (o *exportOptions) judge(cmd *cobra.Command) error {
	switch {
	case cmd.Flags().Changed("output") && o.output == "":
		return errors.New("--output is empty: name a file")
	case o.format != formatQAT && o.format != formatONNX:
		return fmt.Errorf("--format %q: want %s or %s", o.format, formatQAT, formatONNX)
	case cmd.Flags().Changed("onnx-weights") && o.format != formatONNX:
		return errors.New("--onnx-weights: of no use without --format onnx")
	}
	return nil
}

// completeDirs completes directories.
func completeDirs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

func runExport(o exportOptions, c *console) error {
	if o.format == formatONNX && !isDir(o.from) {
		return exportPacked(o, c)
	}
	trained, saved, err := loadRun(o.from)
	if err != nil {
		return err
	}
	if o.output == "" {
		o.output = filepath.Join(o.from, map[string]string{formatQAT: modelFile, formatONNX: onnxFile}[o.format])
	}
	if err := writableFile("--output", o.output); err != nil {
		return err
	}
	var test dataset.Data
	why := "--no-check"
	if !o.noCheck {
		parts, err := saved.Data.Load()
		if err != nil { // which is no fault of the model's
			why = "the run's data cannot be read: " + err.Error()
			c.log.Warn("the model was not compared with its training graph", "reason", err)
		} else {
			test, why = parts.Test, ""
		}
	}
	if sameFile(o.output, filepath.Join(o.from, latentsFile)) {
		return fmt.Errorf("--output %s: those are the latent weights that the model is made of: name another file", o.output)
	}
	if o.format == formatONNX {
		model, s, err := pack(trained, saved.Preprocess, test, why)
		if err != nil {
			return err
		}
		return writeONNX(o, model, s, c)
	}
	s, err := ship(o.output, trained, saved.Preprocess, test, why)
	if err != nil {
		return err
	}
	if o.asJSON {
		writeJSON(c, struct {
			Event string `json:"event"`
			shipped
		}{"export", s})
		return nil
	}
	if !c.quiet {
		fmt.Fprintf(c, "%-14s %v\n", "model", trained.Spec())
	}
	writeLines(c, [][2]string{
		{"packed", o.output},
		{"size", fmt.Sprintf("%d bytes, %d parameters", s.Bytes, s.Parameters)},
		{"bits a weight", fmt.Sprintf("%.4g, of the quantized weights with their scales", s.BitsAWeight)},
		{"ratio", fmt.Sprintf("%.1f times smaller than float32", s.Ratio)},
		{"parity", s.parityText()},
	})
	return nil
}

// sameFile tells whether two names are of one file that is there.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// loadRun loads the latent weights of a run directory.
func loadRun(dir string) (*train.Model, train.Saved, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, train.Saved{}, fmt.Errorf("%s is a file, want the directory of a run, such as %s", dir, filepath.Dir(dir))
	}
	trained, saved, err := train.Load(filepath.Join(dir, latentsFile))
	if errors.Is(err, os.ErrNotExist) {
		if _, none := os.Stat(dir); none != nil {
			return nil, saved, fmt.Errorf("no run: %w", none)
		}
		if steps, _ := (checkpoint.Dir{Path: filepath.Join(dir, checkpointDir)}).Steps(); len(steps) > 0 {
			return nil, saved, fmt.Errorf("the run in %s is unfinished, at step %d: go on with: qat train --resume %s", dir, steps[0], shellQuote(dir))
		}
	}
	return trained, saved, unprefixed(err)
}
