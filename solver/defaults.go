package solver

import "strings"

// The defaults of NewAdamW.
const (
	defaultLearnRate   = 1e-3  // Kingma & Ba 2015, arXiv:1412.6980, section 2; PyTorch's AdamW
	defaultBeta1       = 0.9   // the same
	defaultBeta2       = 0.999 // the same
	defaultEps         = 1e-8  // the same
	defaultWeightDecay = 0.01  // PyTorch's AdamW
	defaultClipNorm    = 0     // off, as in PyTorch, where clipping is a call of its own
)

// Bounds and guards.
const (
	minEps      = 0x1p-126 // the smallest normal float32: a smaller eps could round to 0, and 0/0 is NaN
	maxGradient = 1.8e19   // its square, 3.24e38, still fits float32 (3.40e38), so v stays finite
	clipEps     = 1e-6     // PyTorch's clip_grad_norm_
)

// positionsWeight is the path end of a learned position table.
const positionsWeight = "positions.weight"

// DefaultDecay reports whether a parameter decays when WithDecay is not given.
//
// Tensors of two or more dimensions decay, except position tables: those named
// positions.weight or ending in .positions.weight. Vectors (biases, norm
// gains) and scalars do not.
// Source: nanoGPT's configure_optimizers for the dimensions, minGPT's for the
// position table: a row is a bias per time step.
func DefaultDecay(name string, dims int) bool {
	if dims < 2 {
		return false
	}
	return name != positionsWeight && !strings.HasSuffix(name, "."+positionsWeight)
}
