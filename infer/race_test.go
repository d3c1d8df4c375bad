//go:build race

package infer

// underRace says that the race detector runs, with which a sync.Pool forgets now and
// then: the kernels of float products, which have one, then allocate.
const underRace = true
