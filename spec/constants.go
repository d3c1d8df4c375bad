package spec

// What every part of the project that computes has to agree on.
const (
	// NormEpsilon is added to a variance. Source: Ba et al. 2016's usual value, as in
	// Axon and PyTorch.
	NormEpsilon = 1e-5
	// EdificeSoftmaxEpsilon is added to a softmax denominator in the Edifice numerics.
	// Source: Edifice.Meta.QAT 0.2.0.
	EdificeSoftmaxEpsilon = 1e-8
)
