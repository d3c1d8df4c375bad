package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/qat-go/qat/interop/onnx"
	"github.com/qat-go/qat/packed"
)

// onnxFile is the ONNX model in a run directory.
const onnxFile = "model.onnx"

// exportPacked writes a packed model that is in a file for ONNX's runtimes.
func exportPacked(o exportOptions, c *console) error {
	p, err := packed.Open(o.from)
	if err != nil {
		return err
	}
	if o.output == "" {
		o.output = filepath.Join(filepath.Dir(o.from), onnxFile)
	}
	if err := writableFile("--output", o.output); err != nil {
		return err
	}
	size, err := sizeOf(p)
	if err != nil {
		return err
	}
	return writeONNX(o, p, shipped{modelSize: size, Unchecked: o.from + " was packed before"}, c)
}

// writeONNX writes a packed model, of which s tells, for ONNX's runtimes.
func writeONNX(o exportOptions, p *packed.Model, s shipped, c *console) error {
	for _, from := range []string{o.from, filepath.Join(o.from, modelFile)} {
		if sameFile(o.output, from) {
			return fmt.Errorf("--output %s: that is the packed model: name another file", o.output)
		}
	}
	if err := onnx.Write(o.output, p, o.weights); err != nil {
		if text, ok := strings.CutPrefix(err.Error(), "onnx: "); ok {
			err = errors.New(text)
		}
		return unprefixed(err)
	}
	written, err := os.Stat(o.output)
	if err != nil {
		return err
	}
	if o.asJSON {
		writeJSON(c, struct {
			Event      string `json:"event"`
			File       string `json:"file"`
			Format     string `json:"format"`
			Weights    string `json:"weights"`
			Bytes      int64  `json:"bytes"`
			Parameters int    `json:"parameters"`
			Checked    int    `json:"checked_examples"`
			Unchecked  string `json:"unchecked,omitempty"`
		}{"export", o.output, o.format, o.weights.String(), written.Size(), s.Parameters, s.Checked, s.Unchecked})
		return nil
	}
	if !c.quiet {
		fmt.Fprintf(c, "%-14s %v\n", "model", p.Spec)
	}
	writeLines(c, [][2]string{
		{"onnx", o.output},
		{"size", fmt.Sprintf("%d bytes, %d parameters", written.Size(), s.Parameters)},
		{"codes", o.weights.String()},
		{"parity", s.parityText()},
	})
	return nil
}
