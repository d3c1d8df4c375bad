package packed

import (
	"fmt"
	"slices"

	"github.com/qat-go/qat/quant"
)

// packing is how the codes of a mode lie in bytes: as digits, the first in the lowest.
type packing struct {
	per, base int // digits a byte, and of what base
	digit     func(code int) int
	code      func(digit int) int
	codes     []int8    // the per codes of every byte
	valid     [256]bool // whether a byte holds codes of the mode
	place     []byte    // base to the power of 0, 1, ...
}

// packings are by mode; Float has none.
var packings = [...]*packing{
	quant.Binary:  newPacking(quant.Binary, 8, 2, func(c int) int { return (c + 1) / 2 }, func(d int) int { return 2*d - 1 }),
	quant.Ternary: newPacking(quant.Ternary, 5, 3, func(c int) int { return c + 1 }, func(d int) int { return d - 1 }),
	quant.Int4:    newPacking(quant.Int4, 2, 16, func(c int) int { return c & 15 }, func(d int) int { return int(int8(d<<4) >> 4) }),
	quant.Int8:    newPacking(quant.Int8, 1, 256, func(c int) int { return c & 255 }, func(d int) int { return int(int8(d)) }),
}

func newPacking(mode quant.Mode, per, base int, digit, code func(int) int) *packing {
	p := &packing{per: per, base: base, digit: digit, code: code, codes: make([]int8, 0, 256*per)}
	for b := range 256 {
		rest, most := b, 0
		for range per {
			c := code(rest % base)
			p.codes = append(p.codes, int8(c))
			most = max(most, c, -c)
			rest /= base
		}
		p.valid[b] = rest == 0 && most <= mode.MaxCode()
	}
	for place := 1; len(p.place) < per; place *= base {
		p.place = append(p.place, byte(place))
	}
	return p
}

// packingOf is nil for a mode without codes.
func packingOf(mode quant.Mode) *packing {
	if !mode.Valid() {
		return nil
	}
	return packings[mode]
}

// CodeBytes is the number of bytes that n codes take; 0 with Float, which has none.
func CodeBytes(mode quant.Mode, n int) int {
	if packingOf(mode) == nil {
		return 0
	}
	return mode.PackedBytes(n, 0)
}

// Pack makes a weight of what [quant.QuantizeWeight] makes of a parameter. With the Edifice
// numerics, codes are the levels and scales what they are divided by.
//
// Shapes: codes [in, out], whole numbers; scales [1], or [out] with quant.PerChannel.
// Errors: a length that does not fit, a code that the mode does not have, by its
// index, and a scale that is not a finite number from 0 up.
func Pack(name string, mode quant.Mode, in, out int, codes, scales []float32) (Weight, error) {
	w := Weight{Name: name, Mode: mode, In: in, Out: out, Scales: slices.Clone(scales)}
	fail := func(err error) (Weight, error) { return Weight{}, fmt.Errorf("packed: %s: %w", name, err) }
	p := packingOf(mode)
	if p == nil {
		return fail(fmt.Errorf("%v has no codes", mode))
	}
	n, err := product(in, out)
	if err != nil {
		return fail(err)
	}
	if len(codes) != n {
		return fail(fmt.Errorf("%d codes, want %d inputs x %d outputs", len(codes), in, out))
	}
	if len(scales) != 1 && len(scales) != out {
		return fail(fmt.Errorf("%d scales, want 1 or %d, one an output", len(scales), out))
	}
	if err := checkScales(scales); err != nil {
		return fail(err)
	}
	w.Codes = make([]byte, CodeBytes(mode, n))
	limit := mode.MaxCode()
	at := 0 // in row-major [out][in]
	for o := range out {
		for i := range in {
			c := int(codes[i*out+o])
			if float32(c) != codes[i*out+o] || c < -limit || c > limit || mode == quant.Binary && c == 0 {
				return fail(fmt.Errorf("code [%d, %d] is %v, want one of %v", i, o, codes[i*out+o], mode))
			}
			w.Codes[at/p.per] += byte(p.digit(c)) * p.place[at%p.per]
			at++
		}
	}
	return w, nil
}

// Unpack writes the codes into dst. It panics unless w has the bytes of In*Out codes,
// as it has in a model that Validate accepts.
//
// Shapes: dst [Out, In].
func (w *Weight) Unpack(dst []int8) {
	p := packingOf(w.Mode)
	if p == nil || len(dst) != w.In*w.Out || len(w.Codes) != CodeBytes(w.Mode, len(dst)) {
		panic(fmt.Sprintf("packed: %s: %d bytes of %v codes [%d, %d] into %d", w.Name, len(w.Codes), w.Mode, w.Out, w.In, len(dst)))
	}
	full := len(dst) / p.per // bytes; assigning arrays is faster than copy
	switch w.Mode {
	case quant.Binary:
		for i, b := range w.Codes[:full] {
			*(*[8]int8)(dst[8*i:]) = [8]int8(p.codes[8*int(b):])
		}
	case quant.Ternary:
		for i, b := range w.Codes[:full] {
			*(*[5]int8)(dst[5*i:]) = [5]int8(p.codes[5*int(b):])
		}
	case quant.Int4:
		for i, b := range w.Codes[:full] {
			pair := dst[2*i:][:2]
			pair[0], pair[1] = int8(b<<4)>>4, int8(b)>>4
		}
	case quant.Int8:
		for i, b := range w.Codes {
			dst[i] = int8(b)
		}
	}
	if full < len(w.Codes) {
		copy(dst[full*p.per:], p.codes[int(w.Codes[full])*p.per:])
	}
}

// checkCodes looks for bytes that hold no codes of the mode.
func (w *Weight) checkCodes() error {
	p := packings[w.Mode]
	for i, b := range w.Codes {
		if !p.valid[b] {
			return p.fault(w.Mode, i, b)
		}
	}
	last := len(w.Codes) - 1
	if n := w.In * w.Out % p.per; n != 0 && w.Codes[last] >= p.place[n] {
		return fmt.Errorf("the last byte is %d, want less than %d for %d codes", w.Codes[last], p.place[n], n)
	}
	return nil
}

// fault says what is wrong with byte i.
func (p *packing) fault(mode quant.Mode, i int, b byte) error {
	limit := int8(mode.MaxCode())
	for k, c := range p.codes[int(b)*p.per:][:p.per] {
		if c < -limit {
			return fmt.Errorf("code %d is %d, want %d to %d", i*p.per+k, c, -limit, limit)
		}
	}
	most := int(p.place[p.per-1])*p.base - 1
	return fmt.Errorf("byte %d is %d, want at most %d", i, b, most)
}
