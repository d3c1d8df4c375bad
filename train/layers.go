package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// LayerStats says how one quantized weight came out.
type LayerStats struct {
	Name  string // of the weight, as blocks.0.attn.qkv.weight
	Shape []int  // [in, out]
	Mode  quant.Mode
	// Scales are what a code stands for, in units of the weight: one, or one an
	// output. The Edifice numerics give binary and ternary codes none: 1.
	Scales []float32
	// Signal and Noise are the sums of w^2 and of (w - value)^2, where value is
	// what enters the product in w's place.
	Signal, Noise float64
	// Codes counts the weights of each code, from -Mode.MaxCode() to
	// Mode.MaxCode().
	Codes       []int
	PackedBytes int // its codes and its scales
}

// LayerStats returns a line for each quantized weight, in the order in which the
// model uses them; none for a layer of Float mode.
//
// Errors: a weight that holds NaN or an infinity.
func (c *Model) LayerStats() ([]LayerStats, error) {
	var all []LayerStats
	err := c.eachQuantized(func(name string, shape []int, q *quantized) {
		s := LayerStats{
			Name: name, Shape: shape, Mode: q.mode, Scales: slices.Clone(q.scales),
			Codes:       make([]int, 2*q.mode.MaxCode()+1),
			PackedBytes: q.mode.PackedBytes(len(q.weight), len(q.scales)),
		}
		for i, w := range q.weight {
			d := float64(w) - q.value(i)
			s.Signal += float64(w) * float64(w)
			s.Noise += d * d
			s.Codes[q.code(i)+q.mode.MaxCode()]++
		}
		all = append(all, s)
	})
	return all, err
}

// Len is the number of weights.
func (s LayerStats) Len() int {
	n := 0
	for _, k := range s.Codes {
		n += k
	}
	return n
}

// SNR is the signal-to-quantization-noise ratio.
//
//	10 log10(sum w^2 / sum (w - value)^2)
//
// Units: dB; +Inf for a weight that is its own value, all zeros included.
func (s LayerStats) SNR() float64 {
	if s.Noise == 0 {
		return math.Inf(1)
	}
	return 10 * math.Log10(s.Signal/s.Noise)
}

// Sparsity is the share of weights whose code is 0.
func (s LayerStats) Sparsity() float64 {
	return float64(s.Codes[len(s.Codes)/2]) / float64(max(s.Len(), 1))
}

// Entropy is the mean information of a code.
//
//	-sum p log2(p) over the codes, p their shares
//
// Units: bits; at most log2 of the number of codes.
func (s LayerStats) Entropy() float64 {
	n, bits := float64(s.Len()), 0.0
	for _, k := range s.Codes {
		if k > 0 {
			p := float64(k) / n
			bits += p * math.Log2(1/p)
		}
	}
	return bits
}

// quantized is a weight with what the model makes of it.
type quantized struct {
	mode        quant.Mode
	numerics    spec.Numerics
	granularity quant.Granularity
	weight      []float32
	entered     []float32 // codes; Edifice: values
	scales      []float32 // one, or one an output
}

// set takes a weight [in, out].
func (q *quantized) set(w []float32, out int) error {
	q.weight = w
	q.entered = append(q.entered[:0], w...)
	q.scales = make([]float32, q.granularity.Scales(out))
	if q.numerics != spec.Edifice {
		return quant.QuantizeWeight(q.entered, w, out, q.mode, q.granularity, q.scales)
	}
	scale, err := quant.QuantizeEdifice(q.entered, w, q.mode)
	if q.mode == quant.Binary || q.mode == quant.Ternary {
		scale = 1 // what the weight was divided by does not come back
	} else {
		scale /= float32(q.mode.MaxCode())
	}
	q.scales[0] = scale
	return err
}

// scale is that of weight i.
func (q *quantized) scale(i int) float64 { return float64(q.scales[i%len(q.scales)]) }

// code is the integer of weight i. A value of the Edifice numerics is its code
// times the scale, each operation rounded: far less than half a scale away.
func (q *quantized) code(i int) int {
	if q.numerics == spec.Edifice {
		return int(math.RoundToEven(float64(q.entered[i]) / q.scale(i)))
	}
	return int(q.entered[i])
}

// value is what enters the product in the place of weight i.
func (q *quantized) value(i int) float64 {
	if q.numerics == spec.Edifice {
		return float64(q.entered[i])
	}
	return q.scale(i) * float64(q.entered[i])
}

// eachQuantized calls do with each quantized weight. What it hands over is valid
// until do returns.
func (c *Model) eachQuantized(do func(name string, shape []int, q *quantized)) error {
	q := quantized{numerics: c.spec.Numerics, granularity: c.spec.Granularity}
	for _, l := range c.layers() {
		for _, p := range l.Params() {
			if p.Mode == quant.Float {
				continue
			}
			w, err := l.ParamValue(p.Name)
			if err != nil {
				return err
			}
			q.mode = p.Mode
			shape := p.Node.Shape().Clone()
			if err := q.set(w, shape[1]); err != nil {
				return fmt.Errorf("train: %s: %w", p.Name, err)
			}
			do(p.Name, shape, &q)
		}
	}
	return nil
}
