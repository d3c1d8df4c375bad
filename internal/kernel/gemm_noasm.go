//go:build (!amd64 && !arm64) || purego

package kernel

func fastVariants() []variant { return nil }
