//go:build !amd64 || purego

package kernel

func fastVariants() []variant { return nil }
