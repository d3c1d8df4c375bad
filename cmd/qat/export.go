package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/interop/onnx"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/spec"
	"github.com/qat-go/qat/train"
	"github.com/spf13/cobra"
)

// exportOptions is the flags of qat export.
type exportOptions struct {
	from, output    string
	format          string
	weights         onnx.Weights // of an ONNX model
	noCheck, asJSON bool
}

// The formats of export.
const (
	formatQat  = "qat"
	formatONNX = "onnx"
	onnxFile   = "model.onnx" // in a run directory
)

// exportCommand is qat export.
func exportCommand() *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export DIR",
		Short: "Pack the latent weights of a run into a model to ship",
		Long: `Pack the latent weights of a finished run: weights as small integers, with everything
that running them takes. The model is written once its outputs have been compared, bit
for bit, with those of the training graph on the test part of the run's data. Where the
data is gone, that is left out and said. qat train does all this at its end.

With --format onnx the file is an ONNX model, for ONNX Runtime and others, of a run or of
a packed model. It reads what was recorded; docs/interop.md says what it keeps.
--onnx-weights int4 and int2 make it smaller, for runtimes that read such types.`,
		Example: "  qat export " + defaultDir + " -o " + modelFile + `
  qat export mine -o mine.qat --no-check
  qat export ` + defaultDir + ` --format onnx
  qat export mine.qat --format onnx --onnx-weights int4 -o mine.onnx`,
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
	f.StringVar(&o.format, "format", formatQat, "of the file: qat or onnx")
	f.TextVar(&o.weights, "onnx-weights", onnx.Int8, "narrowest type of weights in an ONNX model: int8, int4 or int2")
	f.BoolVar(&o.noCheck, "no-check", false, "leave out the comparison with the training graph")
	f.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	completeValues(cmd, map[string][]string{"format": {formatQat, formatONNX}, "onnx-weights": {"int8", "int4", "int2"}}, map[string][]string{"output": {"qat", "onnx"}})
	return cmd
}

func (o *exportOptions) judge(cmd *cobra.Command) error {
	var errs []error
	if cmd.Flags().Changed("output") && o.output == "" {
		errs = append(errs, errors.New("--output is empty: name a file"))
	}
	if o.format != formatQat && o.format != formatONNX {
		errs = append(errs, fmt.Errorf("--format %s: want qat or onnx", o.format))
	}
	if cmd.Flags().Changed("onnx-weights") && o.format != formatONNX {
		errs = append(errs, errors.New("--onnx-weights has no use without --format onnx"))
	}
	return errors.Join(errs...)
}

// encoder is that of the format.
func (o *exportOptions) encoder() encoder {
	if o.format == formatONNX {
		return onnxEncoder(o.weights)
	}
	return (*packed.Model).Encode
}

// completeDirs completes directories.
func completeDirs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

func runExport(o exportOptions, c *console) error {
	if info, err := os.Stat(o.from); err == nil && !info.IsDir() && o.format == formatONNX {
		return exportPacked(o, c)
	}
	trained, saved, err := loadRun(o.from)
	if err != nil {
		return err
	}
	if o.output == "" {
		o.output = filepath.Join(o.from, map[string]string{formatQat: modelFile, formatONNX: onnxFile}[o.format])
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
	s, err := ship(o.output, o.encoder(), trained, saved.Preprocess, test, why)
	if err != nil {
		return err
	}
	return o.say(c, s, trained.Spec())
}

// exportPacked writes a packed model in another format.
func exportPacked(o exportOptions, c *console) error {
	p, err := packed.Open(o.from)
	if err != nil {
		return err
	}
	if o.output == "" {
		o.output = strings.TrimSuffix(o.from, filepath.Ext(o.from)) + ".onnx"
	}
	if err := writableFile("--output", o.output); err != nil {
		return err
	}
	if sameFile(o.output, o.from) {
		return fmt.Errorf("--output %s: that is the model to export: name another file", o.output)
	}
	s := shipped{File: o.output, Unchecked: "a packed model has no training graph"}
	if err := s.write(p, o.encoder()); err != nil {
		return err
	}
	return o.say(c, s, p.Spec)
}

func (o *exportOptions) say(c *console, s shipped, m spec.Model) error {
	if o.format == formatONNX {
		s.BitsAWeight = 0 // which is the packed model's
	}
	if o.asJSON {
		writeJSON(c, struct {
			Event string `json:"event"`
			shipped
		}{"export", s})
		return nil
	}
	if !c.quiet {
		fmt.Fprintf(c, "%-14s %v\n", "model", m)
	}
	size := [2]string{"size", fmt.Sprintf("%d bytes, %d parameters", s.Bytes, s.Parameters)}
	ratio := [2]string{"ratio", fmt.Sprintf("%.1f times smaller than float32", s.Ratio)}
	if o.format == formatONNX {
		writeLines(c, [][2]string{{"onnx model", o.output}, size, ratio, {"made of", "a packed model; " + s.parityText()}})
		return nil
	}
	writeLines(c, [][2]string{
		{"packed", o.output}, size,
		{"bits a weight", fmt.Sprintf("%.4g, of the quantized weights with their scales", s.BitsAWeight)},
		ratio, {"parity", s.parityText()},
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
