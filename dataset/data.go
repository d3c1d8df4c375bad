package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"iter"
	"math"

	"github.com/qat-go/qat/preprocess"
)

// Data is what a model is trained and measured on: sequences of one shape, an epoch
// at a time. A Set holds them in memory, a Streamed reads its files anew.
type Data interface {
	Len() int // N
	Facts() Facts
	// Epoch yields each sequence once. Epoch 0 is in the data's own order; the
	// others are shuffled, by seed and epoch. After an error nothing follows.
	Epoch(seed uint64, epoch int) iter.Seq2[Example, error]
	// Sum is the SHA-256 of everything that a training reads of the data.
	Sum() (string, error)
}

// Facts are what is known of data before it is read.
type Facts struct {
	Name     string
	N        int      // sequences
	Steps    int      // T of the model's window
	Channels int      // E of what the model reads
	Classes  []string // nil with targets
	Outputs  int      // K targets; 0 with classes
	Uneven   bool     // some sequences are shorter than Steps
	LastStep bool     // class or targets belong to the last step, or come after it
	// Pipeline made the values of what was recorded; nil where they came as they are.
	Pipeline *preprocess.Pipeline
}

// Example is one sequence. It is valid until the next.
//
// Shapes: Values [Steps, Channels], zeros in front of the last Length steps.
type Example struct {
	Values []float32
	Length int
	// Recorded is what Facts.Pipeline made the values of, missing values NaN; nil
	// without one. Shape: its own steps, as many as there are, by the pipeline's channels.
	Recorded []float32
	Label    int       // 0 with targets
	Targets  []float32 // nil with classes
}

// Facts returns the set's.
func (s *Set) Facts() Facts {
	return Facts{s.Name, s.Len(), s.Steps, s.Channels, s.Classes, s.Outputs, s.Lengths != nil, s.LastStep, s.Pipeline}
}

// Example returns sequence i as a view: writing to it writes to the set.
func (s *Set) Example(i int) Example {
	e := Example{Values: s.At(i), Length: s.Steps}
	if s.Lengths != nil {
		e.Length = s.Lengths[i]
	}
	if s.Recorded != nil {
		e.Recorded = s.Recorded[i]
	}
	if s.Outputs > 0 {
		e.Targets = s.Targets[i*s.Outputs : (i+1)*s.Outputs : (i+1)*s.Outputs]
	} else {
		e.Label = s.Labels[i]
	}
	return e
}

// Epoch yields views. It never fails.
func (s *Set) Epoch(seed uint64, epoch int) iter.Seq2[Example, error] {
	return func(yield func(Example, error) bool) {
		order := orderOf(s.Len())
		if epoch != 0 {
			order = Shuffle(s.Len(), seed, epoch)
		}
		for _, i := range order {
			if !yield(s.Example(i), nil) {
				return
			}
		}
	}
}

// Sum is Data's.
func (s *Set) Sum() (string, error) { return sumOf(s) }

// sumOf reads all of d.
func sumOf(d Data) (string, error) {
	f := d.Facts()
	h := sha256.New()
	fmt.Fprintf(h, "%d %d %d %q %d\n", f.N, f.Steps, f.Channels, f.Classes, f.Outputs)
	var b []byte
	for e, err := range d.Epoch(0, 0) {
		if err != nil {
			return "", err
		}
		b = binary.LittleEndian.AppendUint64(b[:0], uint64(e.Length))
		b = binary.LittleEndian.AppendUint64(b, uint64(e.Label))
		h.Write(b)
		b = hashFloats(h, b, e.Values)
		b = hashFloats(h, b, e.Recorded)
		b = hashFloats(h, b, e.Targets)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func hashFloats(h hash.Hash, b []byte, values []float32) []byte {
	b = b[:0]
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	h.Write(b)
	return b
}
