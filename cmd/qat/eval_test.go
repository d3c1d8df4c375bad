package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/qat-go/qat/dataset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEval_arrays measures a packed model on arrays of values and of classes.
func TestEval_arrays(t *testing.T) {
	dir, done := trainedOn(t)
	digits, err := dataset.Digits()
	require.NoError(t, err)
	_, test, err := digits.SplitAt(dataset.DigitsTrain)
	require.NoError(t, err)
	array := func(name string, columns int, values []float32) string {
		var b bytes.Buffer
		p := predictions{columns: make([]string, columns), where: make([]string, len(values)/columns), values: values}
		require.NoError(t, p.writeNPY(&b))
		return write(t, name, strings.Replace(b.String(), "(360, 64), }  ", "(360, 8, 8), }", 1))
	}
	labels := make([]float32, test.Len())
	for i, label := range test.Labels {
		labels[i] = float32(label)
	}
	status, out, errs := command("eval", dir, "--data", array("x.npy", 64, test.Values)+","+array("y.npy", 1, labels), "--json")
	require.Equal(t, statusOK, status, errs)
	assert.Equal(t, done["test"], lastLine(t, out)["test"])
}
