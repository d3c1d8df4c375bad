package ort

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/packed"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// root is the module's.
const root = "../../.."

// command runs a command of the module's root, and returns what it printed.
func command(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir, c.Stderr = root, os.Stderr
	out, err := c.Output()
	require.NoError(t, err, "%s %v", name, args)
	return out
}

// recordingFile writes the made-up recording as a file.
func recordingFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mine.csv")
	require.NoError(t, os.WriteFile(path, command(t, "go", "run", "./scripts/recording"), 0o666))
	return path
}

// testPart is the test part of a run's data: its series as they were recorded, and their
// classes.
func testPart(t *testing.T, run string) (series [][]float32, classes []int) {
	t.Helper()
	var config struct{ Data dataset.Source }
	text, err := os.ReadFile(filepath.Join(run, "config.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &config))
	parts, err := config.Data.Load()
	require.NoError(t, err)
	for e, err := range parts.Test.Epoch(0, 0) {
		require.NoError(t, err)
		x := e.Recorded
		if x == nil {
			x = e.Values
		}
		series, classes = append(series, slices.Clone(x)), append(classes, e.Label)
	}
	return series, classes
}

// TestTrained trains, exports and runs the whole test part: every output, every class.
func TestTrained(t *testing.T) {
	qat := filepath.Join(t.TempDir(), "qat")
	command(t, "go", "build", "-o", qat, "./cmd/qat")
	csv := recordingFile(t)
	windows := "--data " + csv + " --group session --window 60 --stride 60 --epochs 1"
	for _, flags := range []string{
		"--epochs 5",
		"--epochs 5 --quantize binary --positions learned --pooling mean",
		"--epochs 5 --quantize int4 --granularity channel --positions none",
		"--epochs 5 --quantize int8",
		"--epochs 5 --quantize ternary,blocks.0.ffn.*=int8,blocks.1.attn.*=float",
		"--epochs 5 --quantize float",
		"--epochs 5 --numerics edifice",
		windows + " --label activity",
		windows + " --label activity --frame 6 --hop 3",
		windows + " --target acc_x --horizon 10",
	} {
		t.Run(strings.ReplaceAll(flags, csv, "mine.csv"), func(t *testing.T) {
			run := filepath.Join(t.TempDir(), "run")
			command(t, qat, append(strings.Fields("train -q -o "+run), strings.Fields(flags)...)...)
			command(t, qat, "export", run, "--format", "onnx")
			p, err := packed.Open(filepath.Join(run, "model.qat"))
			require.NoError(t, err)
			file, err := os.ReadFile(filepath.Join(run, "model.onnx"))
			require.NoError(t, err)
			series, classes := testPart(t, run)
			tolerance := float64(exact)
			if strings.Contains(flags, "float") && p.Spec.IsFloat() || strings.Contains(flags, "edifice") {
				tolerance = floatTolerance
			}
			most := hold(t, p, file, series, tolerance)
			right := 0
			if p.Head.Classes != nil {
				right = correct(t, open(t, file), series, classes)
				assert.Greater(t, float64(right)/float64(len(series)), 1.5/float64(p.Head.Width), "accuracy")
			}
			t.Logf("%d series, %d right, largest difference %.2g, %d bytes", len(series), right, most, len(file))
		})
	}
}

// correct counts the series whose likeliest class is theirs.
func correct(t *testing.T, s *session, series [][]float32, classes []int) (n int) {
	t.Helper()
	out := s.run(t, series)["probabilities"]
	width := len(out) / len(series)
	for i, class := range classes {
		if largest(out[i*width:(i+1)*width]) == class {
			n++
		}
	}
	return n
}
