//go:build (!amd64 && !arm64) || purego

package kernel

var gemmPortable = gemmGeneric

func fastVariants() []variant { return nil }
