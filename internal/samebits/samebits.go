// Package samebits makes models, and frames for them to read, that are the same on every
// CPU. Tests carry bits across CPUs by it: the root's run the training graph and write
// sums of its outputs to [File], infer's run the packed model wherever they are run.
package samebits

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// File holds the Sums of every case by its name, in the module's root.
const File = "infer/testdata/sums.json"

// Sums are of a case: SHA-256 over the packed model's file and over the bits of all
// outputs, each sequence's after the other's.
type Sums struct {
	Model   string    `json:"model"`
	Outputs string    `json:"outputs"`
	Values  int       `json:"values"` // outputs
	First   []float32 `json:"first"`  // of them, for people
}

// Read returns the sums in File.
func Read(root string) (sums map[string]Sums, err error) {
	data, err := os.ReadFile(filepath.Join(root, File))
	if err == nil {
		err = json.Unmarshal(data, &sums)
	}
	return sums, err
}

// SumsOf sums a model and its outputs.
func SumsOf(p *packed.Model, outputs []float32) (Sums, error) {
	var file bytes.Buffer
	if err := p.Encode(&file); err != nil {
		return Sums{}, err
	}
	bits := make([]byte, 0, 4*len(outputs))
	for _, v := range outputs {
		bits = binary.LittleEndian.AppendUint32(bits, math.Float32bits(v))
	}
	return Sums{sum(file.Bytes()), sum(bits), len(outputs), outputs[:min(3, len(outputs))]}, nil
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// Value returns the values of a parameter as training could leave them: normal, with
// gains round 1 and a few biases that are -0. A SameSign case has in layer down, and
// in what enters it, only values whose int8 codes are from 64 to 127.
func (c Case) Value(name string, shape []int) []float32 {
	key, n := kernel.NewKey(1, 0, name), 1
	for _, d := range shape {
		n *= d
	}
	values, size := make([]float32, n), 1/float32(math.Sqrt(float64(shape[0])))
	switch {
	case c.SameSign && strings.HasSuffix(name, "ffn.up.weight"): // hands its bias down: silu(x) is nearly x
		return values
	case c.SameSign && (strings.HasSuffix(name, "ffn.up.bias") || strings.HasSuffix(name, "ffn.down.weight")):
		for i := range values {
			values[i] = (64.6 + float32(62*key.Uniform(uint64(i)))) / 16
		}
		return values
	}
	for i := range values {
		values[i] = float32(key.Normal(uint64(i)) * size)
		if strings.HasSuffix(name, "norm.weight") {
			values[i]++
		} else if len(shape) == 1 && i%7 == 3 {
			values[i] = float32(math.Copysign(0, -1))
		}
	}
	return values
}

// Model packs the case's values.
func (c Case) Model() (*packed.Model, error) {
	p := &packed.Model{Spec: c.Spec}
	params := c.Spec.Params()
	if c.Width > 0 {
		p.Head = &packed.Head{Width: c.Width}
		params = append(params, spec.Linear("head", c.Spec.HiddenSize, c.Width, quant.Float)...)
	}
	for _, ps := range params {
		values := c.Value(ps.Name, ps.Shape)
		if ps.Mode == quant.Float {
			p.Tensors = append(p.Tensors, packed.Tensor{Name: ps.Name, Shape: ps.Shape, Values: values})
			continue
		}
		in, out := ps.Shape[0], ps.Shape[1]
		codes, scales := make([]float32, len(values)), make([]float32, c.Spec.Granularity.Scales(out))
		if c.Spec.Numerics == spec.Edifice {
			scale, err := quant.EdificeScale(values, ps.Mode)
			if err != nil {
				return nil, err
			}
			for i, v := range values {
				codes[i] = quant.EdificeCode(v, scale, ps.Mode)
			}
			if scales[0] = scale; ps.Mode == quant.Ternary {
				scales[0] = 1
			}
		} else if err := quant.QuantizeWeight(codes, values, out, ps.Mode, c.Spec.Granularity, scales); err != nil {
			return nil, err
		}
		w, err := packed.Pack(ps.Name, ps.Mode, in, out, codes, scales)
		if err != nil {
			return nil, err
		}
		p.Weights = append(p.Weights, w)
	}
	return p, nil
}

// sizes are those of the values of a case's recordings, one a recording.
var sizes = []float32{1, 3e-5, 700}

// Recordings returns what is recorded, [Frames, E] each.
func (c Case) Recordings() [][]float32 {
	all := make([][]float32, len(sizes))
	for r, size := range sizes {
		key := kernel.NewKey(uint64(r), 0, "recording")
		all[r] = make([]float32, c.Frames*c.Spec.EmbedDim)
		for i := range all[r] {
			all[r][i] = float32(key.Normal(uint64(i)) * size)
		}
	}
	return all
}

// Windows returns the sequences of a case: of each recording, what the model's window
// holds after each of its frames. Their lengths are 1 to T and then T.
func (c Case) Windows() (windows [][]float32) {
	e := c.Spec.EmbedDim
	for _, r := range c.Recordings() {
		for k := 1; k <= c.Frames; k++ {
			windows = append(windows, r[max(0, k-c.Spec.WindowSize)*e:k*e])
		}
	}
	return windows
}
