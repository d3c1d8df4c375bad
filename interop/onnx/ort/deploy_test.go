package ort

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	onnxruntime "github.com/yalue/onnxruntime_go"
)

// tensorLine is an input or an output in config.pbtxt.
var tensorLine = regexp.MustCompile(`\{ name: "(\w+)", data_type: (\w+), dims: \[ ([\d, ]*) \](, reshape: \{ shape: \[ \] \})?`)

// TestDeploy: the config.pbtxt of docs/deploy.md fits the file that its commands make,
// and that file has the size that docs/interop.md says.
func TestDeploy(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/deploy.md"))
	require.NoError(t, err)
	_, config, found := strings.Cut(string(page), "```\nname: \"digits\"")
	require.True(t, found)
	config, _, _ = strings.Cut(config, "\n```\n")
	run := filepath.Join(t.TempDir(), "run")
	command(t, "go", "run", "./cmd/qat", "train", "-q", "--epochs", "1", "-o", run)
	sizes, err := os.ReadFile(filepath.Join(root, "docs/interop.md"))
	require.NoError(t, err)
	for _, weights := range []string{"int2", "int4", "int8"} { // which no training changes
		command(t, "go", "run", "./cmd/qat", "export", run, "--format", "onnx", "--onnx-weights", weights)
		info, err := os.Stat(filepath.Join(run, "model.onnx"))
		require.NoError(t, err)
		size := fmt.Sprintf("%d,%03d", info.Size()/1000, info.Size()%1000)
		assert.Regexp(t, "\n\\| `"+weights+"`.* \\| "+size+" \\|", string(sizes), "docs/interop.md")
	}
	file, err := os.ReadFile(filepath.Join(run, "model.onnx"))
	require.NoError(t, err)
	s := open(t, file)
	var got []string
	for _, m := range tensorLine.FindAllStringSubmatch(config, -1) {
		dims := m[3]
		if m[4] != "" {
			dims = ""
		}
		got = append(got, strings.Join([]string{m[1], m[2], dims}, " "))
	}
	var want []string
	for _, i := range append(s.inputs, s.outputs...) {
		kind := map[onnxruntime.TensorElementDataType]string{
			onnxruntime.TensorElementDataTypeFloat: "TYPE_FP32", onnxruntime.TensorElementDataTypeInt64: "TYPE_INT64",
		}[i.DataType]
		dims := strings.ReplaceAll(strings.Trim(i.Dimensions[1:].String(), "[]"), " ", ", ")
		want = append(want, strings.Join([]string{i.Name, kind, dims}, " "))
	}
	assert.Equal(t, want, got)
}
