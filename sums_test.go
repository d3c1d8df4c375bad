package qat_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/internal/samebits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSums: the graph has the sums that infer's TestSums holds packed models to, here and
// on other CPUs. With -update it writes them.
func TestSums(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds of graphs")
	}
	got := map[string]samebits.Sums{}
	for _, c := range samebits.Cases() {
		got[c.Name] = graphSums(t, c)
	}
	if *update {
		data := ok(json.MarshalIndent(got, "", "  "))
		require.NoError(t, os.WriteFile(samebits.File, append(data, '\n'), 0o644))
	}
	assert.Equal(t, ok(samebits.Read(".")), got)
}

// graphSums runs the graph of a case, front-padded where a window is short.
func graphSums(t *testing.T, c samebits.Case) samebits.Sums {
	windows := c.Windows()
	w := newTwin(t, c.Spec, len(windows), c.Width, true)
	set := func(m parameterised, prefix, as string) {
		for _, p := range m.Params() {
			require.NoError(t, m.SetParam(p.Name, c.Value(as+strings.TrimPrefix(p.Name, prefix), p.Node.Shape())))
		}
	}
	set(w.m, "net.", "")
	var export []qat.ExportOption
	if w.head != nil {
		set(w.head, "classes.", "head.")
		export = append(export, qat.WithHead(w.head))
	}
	if c.SameSign {
		up, down := ok(w.m.ParamValue("net.blocks.0.ffn.up.bias")), ok(w.m.ParamValue("net.blocks.0.ffn.down.weight"))
		requireUnlikeFloatSum(t, up, down, c.Spec.Granularity, len(up) > 1040)
	}
	size := c.Spec.WindowSize * c.Spec.EmbedDim
	in := sequences{make([]float32, len(windows)*size), make([]int, len(windows))}
	for i := range in.x {
		in.x[i] = float32(math.NaN()) // which padding may be
	}
	for b, x := range windows {
		in.lengths[b] = len(x) / c.Spec.EmbedDim
		copy(in.x[(b+1)*size-len(x):], x)
	}
	return ok(samebits.SumsOf(ok(qat.Export(w.m, export...)), slices.Concat(w.graph(t, in)...)))
}
