package kernel

import (
	"math"
	"math/bits"
)

// Key names a stream of random numbers.
type Key uint64

// NewKey mixes a seed, a step and a path into the key of one stream. Different
// arguments give streams that have nothing in common.
func NewKey(seed, step uint64, path string) Key {
	h := mix64(seed + golden)
	h = mix64(h + step + golden) // not symmetric: seed 1, step 2 is not seed 2, step 1
	for i := range len(path) {
		h = mix64(h + uint64(path[i]) + golden)
	}
	return Key(h)
}

const golden = 0x9e3779b97f4a7c15

// mix64 is the finalizer of SplitMix64.
// Source: Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195.
func mix64(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Uint64 returns element i of the stream.
func (k Key) Uint64(i uint64) uint64 { return mix64(uint64(k) + (i+1)*golden) }

// Uint32 returns element i of the stream's 32-bit numbers, two to a Uint64.
func (k Key) Uint32(i uint64) uint32 { return uint32(k.Uint64(i>>1) >> (32 * (i & 1))) }

// Uniform returns element i of the stream as a float32 in [0, 1).
func (k Key) Uniform(i uint64) float32 { return float32(k.Uint32(i)>>8) * (1.0 / (1 << 24)) }

// Normal returns element i of the stream's normal numbers: the sum of twelve
// 16-bit uniforms, less six, which is near enough for starting values and uses
// nothing but exact additions.
func (k Key) Normal(i uint64) float32 {
	var sum int64
	for j := range uint64(3) {
		u := k.Uint64(3*i + j)
		for ; u != 0; u >>= 16 {
			sum += int64(u & 0xffff)
		}
	}
	return float32(2*sum-12*0xffff) / (2 * 0x10000)
}

// Dropout is inverted dropout, x*mask/(1-p), of the last Keep of every Steps rows of a tensor
// [Batch, Steps, Cols]; the mask is drawn at the full tensor's row-major index, so that leaving
// rows out changes nothing. Nil drops nothing.
// Source: Srivastava et al. 2014, JMLR 15.
type Dropout struct {
	Key                      Key
	P                        float64
	Batch, Steps, Keep, Cols int
}

// need panics unless there are so many elements.
func (d *Dropout) need(n int) {
	if d != nil {
		need("dropout input", n, d.Batch*d.Keep*d.Cols)
	}
}

// Apply writes what is left of x to y; they may be one. The gradient is the same call on the
// upstream gradient.
func (d *Dropout) Apply(y, x []float32) {
	d.need(len(x))
	need("dropout output", len(y), len(x))
	d.pieces(len(x), 4, func(lo, hi int) { d.piece(y[lo:hi], x[lo:hi], lo) })
}

// pieceSize is about how many elements stay in the first cache between two functions of them.
const pieceSize = 2048

// pieces calls f for parts [lo, hi) of n elements that cost about so many operations each; with
// dropout a part lies in one sequence.
func (d *Dropout) pieces(n, cost int, f func(lo, hi int)) {
	rest := n
	if d != nil {
		if rest = d.Keep * d.Cols; rest == 0 {
			return
		}
	}
	// Each run of rest elements is cut into count pieces.
	count := max(1, ceilDiv(rest, pieceSize))
	Parallel(n/max(rest, 1)*count, rowGrain(cost*rest/count), func(lo, hi int) {
		for ; lo < hi; lo++ {
			first, part := lo/count*rest, lo%count
			f(first+part*rest/count, first+(part+1)*rest/count)
		}
	})
}

// piece is Apply of elements of one sequence, the first of which is at lo of the kept ones.
func (d *Dropout) piece(y, x []float32, lo int) {
	if d == nil {
		copy(y, x)
		return
	}
	n := d.Keep * d.Cols
	first := uint64(lo/n*d.Steps*d.Cols + (d.Steps-d.Keep)*d.Cols + lo%n)
	threshold := uint64(d.P * (1 << 32)) // drop where the 32-bit number is below
	dropoutRow(y, x, d.Key, threshold, float32(1/(1-d.P)), first)
}

func dropoutRow(y, x []float32, key Key, threshold uint64, scale float32, first uint64) {
	i := 0
	if first&1 == 1 && len(x) > 0 {
		y[0] = keepOrZero(x[0], scale, key.Uint64(first>>1)>>32, threshold)
		i = 1
	}
	if n := whole(len(x) - i); n > 0 && threshold < 1<<32 && chosen.train.dropout != nil {
		state := uint64(key) + ((first+uint64(i))>>1+1)*golden
		chosen.train.dropout(y[i:i+n], x[i:i+n], state, uint32(threshold), scale)
		i += n
	}
	for ; i+2 <= len(x); i += 2 {
		u := key.Uint64((first + uint64(i)) >> 1)
		y[i] = keepOrZero(x[i], scale, u&0xffffffff, threshold)
		y[i+1] = keepOrZero(x[i+1], scale, u>>32, threshold)
	}
	if i < len(x) {
		y[i] = keepOrZero(x[i], scale, key.Uint64((first+uint64(i))>>1)&0xffffffff, threshold)
	}
}

// keepOrZero is x*scale where u >= threshold and +0 elsewhere, without a branch.
func keepOrZero(x, scale float32, u, threshold uint64) float32 {
	_, dropped := bits.Sub64(u, threshold, 0)
	return maskFloat(x*scale, uint32(dropped)-1)
}

func maskFloat(x float32, mask uint32) float32 {
	return math.Float32frombits(math.Float32bits(x) & mask)
}
