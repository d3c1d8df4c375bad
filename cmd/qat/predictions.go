package main

import (
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/qat-go/qat/checkpoint"
)

// write writes the predictions as the name says: an .npy or .csv file, atomically, or
// CSV to standard output.
func (p *predictions) write(name string, stdout io.Writer) error {
	switch {
	case name == "-":
		return p.writeCSV(stdout)
	case endsIn(name, ".npy"):
		return checkpoint.WriteFileAtomic(name, p.writeNPY)
	}
	return checkpoint.WriteFileAtomic(name, p.writeCSV)
}

// writeCSV writes a row each, under a header. A value has as many digits as its bits
// need.
func (p *predictions) writeCSV(w io.Writer) error {
	row := []string{"input"}
	if p.steps {
		row = append(row, "step")
	}
	if p.classes != nil {
		row = append(row, "label")
	}
	c := csv.NewWriter(w)
	errs := []error{c.Write(append(row, p.columns...))}
	for i, where := range p.where {
		row = append(row[:0], where)
		if p.steps {
			row = append(row, strconv.Itoa(p.step[i]))
		}
		if p.classes != nil {
			row = append(row, p.labels[i])
		}
		for _, v := range p.values[i*len(p.columns) : (i+1)*len(p.columns)] {
			row = append(row, strconv.FormatFloat(float64(v), 'g', -1, 32))
		}
		errs = append(errs, c.Write(row))
	}
	c.Flush()
	return errors.Join(append(errs, c.Error())...)
}

// prediction is a line of qat predict --json.
type prediction struct {
	Event         string             `json:"event"`
	Input         string             `json:"input"`
	Step          int                `json:"step,omitempty"` // from 1, where there is an output a step
	Label         string             `json:"label,omitempty"`
	Probabilities map[string]float32 `json:"probabilities,omitempty"`
	Outputs       []float32          `json:"outputs,omitempty"` // where there are no classes, or with --raw
}

// writeJSON writes an object a line.
func (p *predictions) writeJSON(w io.Writer) {
	n := len(p.columns)
	for i, where := range p.where {
		one, values := prediction{Event: "prediction", Input: where}, p.values[i*n:(i+1)*n]
		if p.steps {
			one.Step = p.step[i]
		}
		if p.classes == nil {
			one.Outputs = values
		} else {
			one.Label, one.Probabilities = p.labels[i], map[string]float32{}
			for k, v := range values {
				one.Probabilities[p.classes[k]] = v
			}
		}
		writeJSON(w, one)
	}
}

// npyAlign is what NumPy brings the length of a header to a multiple of.
const npyAlign = 64

// writeNPY writes the values as NumPy saves an array.
//
// Shapes: float32 [rows, columns].
func (p *predictions) writeNPY(w io.Writer) error {
	const magic = "\x93NUMPY\x01\x00"
	text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", len(p.where), len(p.columns))
	before := len(magic) + 2 // and the header's length
	pad := npyAlign - (before+len(text)+1)%npyAlign
	text += strings.Repeat(" ", pad) + "\n"
	head := binary.LittleEndian.AppendUint16([]byte(magic), uint16(len(text)))
	if _, err := w.Write(append(head, text...)); err != nil {
		return err
	}
	return binary.Write(w, binary.LittleEndian, p.values)
}
