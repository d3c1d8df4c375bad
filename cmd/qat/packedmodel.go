package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/train"
	"github.com/spf13/cobra"
)

// modelFile is the packed model in a run directory.
const modelFile = "model.qat"

// modelSize is what a packed model comes to.
type modelSize struct {
	Parameters int   `json:"parameters"` // head included
	Bytes      int64 `json:"bytes"`      // of the file, header included
	// BitsAWeight counts codes and scales of the quantized weights; 32 where there
	// are none.
	BitsAWeight float64 `json:"bits_a_weight"`
	Ratio       float64 `json:"ratio"` // bytes as float32 to those of the file
}

// String says it in a line.
func (s modelSize) String() string {
	return fmt.Sprintf("%d bytes, %.3g bits a quantized weight, %.1f times smaller than float32", s.Bytes, s.BitsAWeight, s.Ratio)
}

// byteCount counts what is written.
type byteCount int64

func (n *byteCount) Write(b []byte) (int, error) {
	*n += byteCount(len(b))
	return len(b), nil
}

// sizeOf is the size of p.
func sizeOf(p *packed.Model) (modelSize, error) {
	var file byteCount
	if err := p.Encode(&file); err != nil {
		return modelSize{}, err
	}
	s := modelSize{Bytes: int64(file), BitsAWeight: 32}
	for _, t := range p.Tensors {
		s.Parameters += len(t.Values)
	}
	weights, bytes := 0, 0
	for _, w := range p.Weights {
		weights += w.In * w.Out
		bytes += weightBytes(w)
	}
	if s.Parameters += weights; weights > 0 {
		s.BitsAWeight = 8 * float64(bytes) / float64(weights)
	}
	s.Ratio = 4 * float64(s.Parameters) / float64(s.Bytes)
	return s, nil
}

// weightBytes is what a weight takes: codes and scales.
func weightBytes(w packed.Weight) int { return len(w.Codes) + 4*len(w.Scales) }

// shipped is a packed model that was written, and what it was held to.
type shipped struct {
	File string `json:"file"`
	modelSize
	// Checked is how many test examples have the bits of the training graph.
	Checked   int    `json:"checked_examples"`
	Unchecked string `json:"unchecked,omitempty"` // why none was checked
}

// parityText says what the check came to.
func (s shipped) parityText() string {
	if s.Unchecked != "" {
		return "not checked: " + s.Unchecked
	}
	return fmt.Sprintf("same bits as the training graph on all %d test examples", s.Checked)
}

// exportModel is train's, for tests to put a faulty one in its place.
var exportModel = (*train.Model).Export

// pack packs a trained model and holds it to its graph over the test part. Without a
// test part it says in unchecked why.
func pack(m *train.Model, p *preprocess.Pipeline, test dataset.Data, unchecked string) (*packed.Model, shipped, error) {
	s := shipped{Unchecked: unchecked}
	model, err := exportModel(m, p)
	if err != nil {
		return nil, s, err
	}
	if test != nil {
		if err := m.CheckParity(model, test); err != nil {
			return nil, s, err
		}
		s.Checked = test.Len()
	}
	s.modelSize, err = sizeOf(model)
	return model, s, err
}

// ship packs a trained model, and writes it once it has been checked.
func ship(path string, m *train.Model, p *preprocess.Pipeline, test dataset.Data, unchecked string) (shipped, error) {
	model, s, err := pack(m, p, test, unchecked)
	if err != nil {
		return s, err
	}
	s.File = path
	return s, unprefixed(model.Write(path))
}

// unprefixed is an error of writing a file without the name of the package that does it,
// which is not what the file is.
func unprefixed(err error) error {
	if err == nil {
		return nil
	}
	if text, ok := strings.CutPrefix(err.Error(), "checkpoint: "); ok {
		return errors.New(text)
	}
	return err
}

// writableFile says why no file could be written at path, before the work is done that
// it is for.
func writableFile(flag, path string) error {
	if isDir(path) {
		return fmt.Errorf("%s %s: is a directory, want a file", flag, path)
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".writable-*")
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(f.Name()))
	} else if inner := new(os.PathError); errors.As(err, &inner) {
		err = fmt.Errorf("writing in %s: %w", dir, inner.Err)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", flag, path, err)
	}
	return nil
}

// oneModel wants a packed model.
func oneModel(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%d models, want one, as in: %s %s", len(args), cmd.CommandPath(), filepath.Join(defaultDir, modelFile))
	}
	return nil
}

// completeModels completes names of packed models, and directories on the way.
func completeModels(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"qat"}, cobra.ShellCompDirectiveFilterFileExt
}

// isDir says whether path is a directory.
func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// openModel opens a packed model, or that of a run directory.
func openModel(path string) (p *packed.Model, file string, err error) {
	if isDir(path) {
		path = filepath.Join(path, modelFile)
	}
	p, err = packed.Open(path)
	return p, path, err
}

// taskOf is what the outputs of a packed model are.
//
// Errors: outputs that are neither classes nor targets by name.
func taskOf(p *packed.Model) (train.Task, error) {
	switch h := p.Head; {
	case h == nil:
		return train.Task{}, errors.New("the model has no head: there is nothing to measure it by")
	case h.Classes != nil:
		return train.Task{Classes: h.Classes}, nil
	case h.Targets != nil:
		return train.Task{Outputs: h.Width, Targets: h.Targets}, nil
	}
	return train.Task{}, errors.New("the model does not say what its outputs are: it was exported without classes and without targets")
}

// writeLines is for results of several lines.
func writeLines(w io.Writer, lines [][2]string) {
	for _, l := range lines {
		fmt.Fprintf(w, "%-14s %s\n", l[0], l[1])
	}
}
