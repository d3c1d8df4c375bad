package train

import (
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// Defaults returns the default recipe, for data of whatever shape. docs/recipes.md has
// what it was chosen by.
func Defaults() Config {
	return Config{
		Model: spec.Model{
			HiddenSize: 64,
			NumHeads:   4,
			NumLayers:  2,
			Quantize:   quant.Ternary,
			Dropout:    0.05,
			Positions:  spec.Learned,
			Pooling:    spec.Mean,
		},
		Epochs:      epochsMost,
		BatchSize:   32,
		LearnRate:   2e-3,
		Schedule:    CosineSchedule,
		Warmup:      0.1,
		WeightDecay: 0.01,
		ClipNorm:    1,
		Augment:     Augment{Jitter: 0.05, Scale: 0.1, Shift: 0.08},
	}
}

// How long a recipe trains. A few dozen series are learnt in some hundred steps, however
// often they come round; a large set need not come round often.
const (
	stepsLeast  = 300
	stepsMost   = 3000
	epochsMost  = 60 // if that is stepsLeast or more
	epochsLeast = 4  // also where that is above stepsMost
)

// fewSteps are so few that the last of them is pooled.
const fewSteps = 16

// Recipe is the default recipe for data of such a shape: Defaults, and
//
//   - few steps are pooled by the last, which has seen the others, with rotary
//     positions, and augmented by more noise and less of a shift, since each of them
//     says more; many are pooled by their mean;
//   - where class or targets belong to the last step, that step is what is pooled, and
//     sequences are not shifted in time, which would move it;
//   - epochs by the number of sequences.
func Recipe(f dataset.Facts) Config {
	c := Defaults()
	if f.Steps <= fewSteps || f.LastStep {
		c.Model.Pooling, c.Model.Positions = spec.LastTimestep, spec.Rotary
		c.Augment.Jitter, c.Augment.Shift = 0.1, 0.04
	}
	if f.LastStep {
		c.Augment.Shift = 0
	}
	c.Epochs = epochs((f.N + c.BatchSize - 1) / c.BatchSize)
	return c
}

// epochs is how many epochs of so many steps a recipe has.
func epochs(steps int) int {
	steps = max(steps, 1)
	n := min(epochsMost, max(epochsLeast, stepsMost/steps))
	return max(n, (stepsLeast+steps-1)/steps)
}
