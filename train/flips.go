package train

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/quant"
)

// Codes is a snapshot of the codes of a model's quantized weights, in the
// order of LayerStats; a byte a weight.
type Codes []LayerCodes

// LayerCodes is the codes of one weight.
type LayerCodes struct {
	Name  string
	Mode  quant.Mode
	Codes []int8 // row-major
}

// Codes returns a snapshot.
//
// Errors: a weight that holds NaN or an infinity.
func (c *Model) Codes() (Codes, error) {
	var all Codes
	err := c.eachQuantized(func(name string, _ []int, q *quantized) {
		codes := make([]int8, len(q.weight))
		for i := range codes {
			codes[i] = int8(q.code(i))
		}
		all = append(all, LayerCodes{name, q.mode, codes})
	})
	return all, err
}

// FlipRates returns, for each weight, the share of its codes that differ between
// two snapshots of one model.
//
// Errors: snapshots of different models.
func FlipRates(before, after Codes) ([]float64, error) {
	if err := after.match(before); err != nil {
		return nil, err
	}
	rates := make([]float64, len(after))
	for i, l := range after {
		flips := 0
		for k, code := range l.Codes {
			if code != before[i].Codes[k] {
				flips++
			}
		}
		rates[i] = float64(flips) / float64(max(len(l.Codes), 1))
	}
	return rates, nil
}

// match reports how other's names, modes and sizes differ from c's.
func (c Codes) match(other Codes) error {
	if len(other) != len(c) {
		return fmt.Errorf("train: codes of %d weights, want %d", len(other), len(c))
	}
	for i, want := range c {
		if got := other[i]; got.Name != want.Name || got.Mode != want.Mode || len(got.Codes) != len(want.Codes) {
			return fmt.Errorf("train: codes %d are %d %v ones of %s, want %d %v ones of %s", i,
				len(got.Codes), got.Mode, got.Name, len(want.Codes), want.Mode, want.Name)
		}
	}
	return nil
}

// codesPrefix begins the names of a snapshot's tensors in a checkpoint.
const codesPrefix = "codes."

// perValue is how many codes of a mode one float32 holds exactly, as the digits of
// an integer below 2^24: 15 binary or ternary, 6 int4, 3 int8.
func perValue(mode quant.Mode) int {
	base := 2*mode.MaxCode() + 1
	n := 0
	for most := 1; most*base <= 1<<24; most *= base {
		n++
	}
	return n
}

// Tensors packs a snapshot for a checkpoint: 0.3 bytes a ternary weight.
func (c Codes) Tensors() []checkpoint.Tensor {
	all := make([]checkpoint.Tensor, len(c))
	for i, l := range c {
		n, limit := perValue(l.Mode), l.Mode.MaxCode()
		values := make([]float32, (len(l.Codes)+n-1)/n)
		for v := range values {
			digits, packed := l.Codes[v*n:min((v+1)*n, len(l.Codes))], 0
			for k := len(digits) - 1; k >= 0; k-- {
				packed = packed*(2*limit+1) + int(digits[k]) + limit
			}
			values[v] = float32(packed)
		}
		all[i] = checkpoint.Tensor{Name: codesPrefix + l.Name, Shape: []int{len(values)}, Values: values}
	}
	return all
}

// SetTensors makes c the snapshot that Tensors packed. It is called on a snapshot
// of the same model, which says what is to be expected.
//
// Errors: a tensor that is missing, unknown, of another size, or that holds no
// codes; c is then left alone.
func (c Codes) SetTensors(tensors []checkpoint.Tensor) error {
	byName := map[string][]float32{}
	for _, t := range tensors {
		byName[t.Name] = t.Values
	}
	fresh := make([][]int8, len(c))
	var errs []error
	for i, l := range c {
		values, ok := byName[codesPrefix+l.Name]
		if !ok {
			errs = append(errs, fmt.Errorf("tensor %s%s is missing", codesPrefix, l.Name))
			continue
		}
		delete(byName, codesPrefix+l.Name)
		var err error
		if fresh[i], err = unpackCodes(values, len(l.Codes), l.Mode); err != nil {
			errs = append(errs, fmt.Errorf("tensor %s%s: %w", codesPrefix, l.Name, err))
		}
	}
	for name := range byName {
		errs = append(errs, fmt.Errorf("tensor %s: the model has no such codes", name))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i := range c {
		c[i].Codes = fresh[i]
	}
	return nil
}

func unpackCodes(values []float32, n int, mode quant.Mode) ([]int8, error) {
	per, limit := perValue(mode), mode.MaxCode()
	if want := (n + per - 1) / per; len(values) != want {
		return nil, fmt.Errorf("%d values, want %d", len(values), want)
	}
	codes := make([]int8, 0, len(values)*per)
	for i, v := range values {
		digits, base := min(per, n-len(codes)), 2*limit+1
		most := math.Pow(float64(base), float64(digits)) - 1
		if !(v >= 0 && float64(v) <= most) || v != float32(int(v)) {
			return nil, fmt.Errorf("value %d is %v, want an integer of 0 to %v", i, v, most)
		}
		for packed := int(v); digits > 0; digits-- {
			codes = append(codes, int8(packed%base-limit))
			packed /= base
		}
	}
	return codes, nil
}

// splitCodes parts a checkpoint's tensors into a snapshot's and the others.
func splitCodes(tensors []checkpoint.Tensor) (codes, others []checkpoint.Tensor) {
	for _, t := range tensors {
		if strings.HasPrefix(t.Name, codesPrefix) {
			codes = append(codes, t)
		} else {
			others = append(others, t)
		}
	}
	return codes, others
}
