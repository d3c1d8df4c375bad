package kernel

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// tensor is how the reference's numbers are stored: exact float32 values, row-major.
type tensor struct {
	Shape []int
	Data  []float32
}

// readJSON reads one of the reference's files of operations.
func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "edifice", "ops", name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, v), name)
}
