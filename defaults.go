package qat

import "github.com/qat-go/qat/spec"

// The defaults of the options. Those of the architecture are the reference
// implementation's (Edifice.Meta.QAT 0.2.0).
const (
	defaultHiddenSize = 256     // Edifice.Meta.QAT
	defaultNumHeads   = 4       // Edifice.Meta.QAT
	defaultNumLayers  = 4       // Edifice.Meta.QAT
	defaultQuantize   = Ternary // Edifice.Meta.QAT
	defaultDropout    = 0.1     // Edifice.Meta.QAT
	defaultWindowSize = 60      // Edifice.Meta.QAT
	defaultBatchSize  = 1       // one sequence, as a caller without batches has
	defaultSeed       = 0       // any fixed number: runs repeat unless asked otherwise
)

// smallNormalDeviation is the deviation of fresh learned positions.
// Source: Radford et al. 2018 (GPT), section 4.1.
const smallNormalDeviation = 0.02

// RecommendedDefaults returns the model that Build makes when no option says
// otherwise. Its EmbedDim is 0: that one is the caller's to give. Printing it
// shows every default.
func RecommendedDefaults() spec.Model {
	return spec.Model{
		HiddenSize: defaultHiddenSize,
		NumHeads:   defaultNumHeads,
		NumLayers:  defaultNumLayers,
		WindowSize: defaultWindowSize,
		Quantize:   defaultQuantize,
		Dropout:    defaultDropout,
	}
}

// OutputSize returns the size of the last axis of a model's output, for the
// options that it would be built with: the hidden size. It does not judge them;
// Build does.
func OutputSize(opts ...Option) int {
	return newConfig(opts).spec.HiddenSize
}
