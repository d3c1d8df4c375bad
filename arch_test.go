package qat_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const modulePath = "github.com/qat-go/qat"

// mayImport says which of the module's packages a package may depend on, directly
// or not. A package that is missing here fails the test.
var mayImport = map[string][]string{
	"internal/kernel":         {},
	"quant":                   {"internal/kernel"},
	"spec":                    {"quant", "internal/kernel"},
	"internal/smalldisk":      {},
	"internal/samebits":       {"packed", "spec", "quant", "internal/kernel", "preprocess", "checkpoint", "internal/tensorfile"},
	"internal/tensorfile":     {},
	"checkpoint":              {"internal/tensorfile"},
	"preprocess":              {},
	"dataset":                 {"preprocess"},
	"packed":                  {"spec", "quant", "internal/kernel", "preprocess", "checkpoint", "internal/tensorfile"},
	"infer":                   {"packed", "spec", "quant", "internal/kernel", "preprocess", "checkpoint", "internal/tensorfile"},
	"interop/onnx":            {"packed", "spec", "quant", "internal/kernel", "preprocess", "checkpoint", "internal/tensorfile"},
	"solver":                  {"internal/kernel"},
	"":                        {"packed", "spec", "quant", "internal/kernel", "preprocess", "checkpoint", "internal/tensorfile"},
	"train":                   {"", "infer", "packed", "spec", "quant", "internal/kernel", "solver", "checkpoint", "internal/tensorfile", "dataset", "preprocess"},
	"scripts/recording":       {},
	"cmd/qat/internal/report": {"train", "", "infer", "packed", "spec", "quant", "internal/kernel", "solver", "checkpoint", "internal/tensorfile", "dataset", "preprocess"},
	"cmd/qat":                 {"interop/onnx", "cmd/qat/internal/report", "train", "", "infer", "packed", "spec", "quant", "internal/kernel", "solver", "checkpoint", "internal/tensorfile", "dataset", "preprocess"},
}

// usesGorgonia are the packages that may know Gorgonia.
var usesGorgonia = []string{"", "solver", "train", "cmd/qat", "cmd/qat/internal/report"}

func TestImportDirection(t *testing.T) {
	list := func(args ...string) []string {
		out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
		require.NoError(t, err)
		return strings.Fields(string(out))
	}
	short := func(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, modulePath), "/") }
	for _, pkg := range list("./...") {
		name := short(pkg)
		allowed, known := mayImport[name]
		if !assert.True(t, known, "%q has no place in the order of packages", name) {
			continue
		}
		for _, dep := range list("-deps", pkg) {
			switch {
			case dep == pkg:
			case dep == modulePath || strings.HasPrefix(dep, modulePath+"/"):
				assert.Contains(t, allowed, short(dep), "%q must not depend on %q", name, short(dep))
			case strings.HasPrefix(dep, "gorgonia.org/"):
				assert.Contains(t, usesGorgonia, name, "%q must not depend on %s", name, dep)
			}
		}
	}
}
