package main

import (
	"encoding/json"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
)

func TestCompare(t *testing.T) {
	dir := t.TempDir()
	args := append([]string{"compare", "--modes", "ternary,float", "--seeds", "3", "--json", "-o", dir}, quick...)
	status, out, errs := command(args...)
	require.Equal(t, statusOK, status, errs)
	var names []string
	lines := map[string]comparison{}
	for l := range strings.SplitSeq(strings.TrimSpace(out), "\n") {
		var c comparison
		require.NoError(t, json.Unmarshal([]byte(l), &c))
		names = append(names, c.Name)
		lines[c.Name] = c
		assert.InDelta(t, stat.Mean(c.Values, nil), c.Mean, 1e-12, c.Name)
	}
	assert.Equal(t, []string{"float", "ternary", "logistic regression", "1-nearest-neighbour", "majority class"}, names, "float comes first")
	float, ternary := lines["float"], lines["ternary"]
	require.NotNil(t, ternary.Difference)
	assert.InDelta(t, ternary.Mean-float.Mean, ternary.Difference.Mean, 1e-12)
	assert.Less(t, ternary.AfterTraining.Mean, float.Mean, "three values cost something where training did not know of them")
	assert.Len(t, ternary.AfterTraining.Values, 3)
	assert.Nil(t, float.Difference)
	assert.Less(t, ternary.PackedBytes, float.PackedBytes)

	picture, err := os.Open(filepath.Join(dir, comparePNGFile))
	require.NoError(t, err)
	defer picture.Close()
	_, err = png.Decode(picture)
	assert.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, compareJSONFile))
	require.NoError(t, err)
	var saved struct {
		Command string
		Results []comparison
	}
	require.NoError(t, json.Unmarshal(text, &saved))
	assert.Contains(t, saved.Command, "qat compare --modes ternary,float")
	assert.Len(t, saved.Results, 5)
	assert.Equal(t, ternary, saved.Results[1])

	status, out, errs = command(append([]string{"compare", "--modes", "binary", "--seeds", "1", "--baselines=false"}, quick...)...)
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "binary ")
	assert.NotContains(t, out, "NaN")
}

func TestPaired(t *testing.T) {
	v := paired([]float64{0.9, 0.8, 0.85, 0.95, 0.7}, []float64{0.8, 0.82, 0.8, 0.9, 0.7})
	assert.InDelta(t, 0.036, v.Mean, 1e-12)
	d := []float64{0.1, -0.02, 0.05, 0.05, 0}
	var squares float64
	for _, x := range d {
		squares += (x - 0.036) * (x - 0.036)
	}
	const t975of4 = 2.7764451 // any table of Student's t
	assert.InDelta(t, t975of4*math.Sqrt(squares/4/5), *v.Half, 1e-7)
	assert.Nil(t, paired([]float64{1}, []float64{0}).Half)
}
