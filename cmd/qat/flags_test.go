package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

func TestWeightModes(t *testing.T) {
	ffn := spec.LayerMode{Pattern: "blocks.0.ffn.*", Mode: quant.Int8}
	out := spec.LayerMode{Pattern: "*.out", Mode: quant.Float}
	for text, want := range map[string]spec.Model{
		"binary":                     {Quantize: quant.Binary},
		"Binary,blocks.0.ffn.*=INT8": {Quantize: quant.Binary, LayerModes: []spec.LayerMode{ffn}},
		"blocks.0.ffn.*=int8":        {Quantize: quant.Ternary, LayerModes: []spec.LayerMode{ffn}},
		"binary, blocks.0.ffn.*=int8 , *.out = float": {Quantize: quant.Binary, LayerModes: []spec.LayerMode{ffn, out}},
		"*.out=float,blocks.0.ffn.*=int8":             {Quantize: quant.Ternary, LayerModes: []spec.LayerMode{out, ffn}},
	} {
		m := spec.Model{Quantize: quant.Ternary, LayerModes: []spec.LayerMode{{Pattern: "gone", Mode: quant.Int4}}}
		w := &weightModes{model: &m}
		assert.Equal(t, "ternary,gone=int4", w.String(), "the default")
		require.NoError(t, w.Set(text), text)
		assert.Equal(t, want, m, text)
		assert.Equal(t, text, w.String())
	}
	m := spec.Model{Quantize: quant.Ternary}
	for _, text := range []string{"", ",", "int3", "binary,", "binary,int8", "x=int8,binary", "x=", "x=int3", "=x"} {
		assert.Error(t, (&weightModes{model: &m}).Set(text), "%q", text)
		assert.Equal(t, spec.Model{Quantize: quant.Ternary}, m, "%q", text)
	}
}

// TestMixedRun trains layers of several modes with a scale an output, and says so.
func TestMixedRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	status, out, errs := command(append([]string{"train", "-o", dir, "--quantize", "binary,*.ffn.*=int8,*.out=float", "--granularity", "channel"}, quick...)...)
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "binary,*.ffn.*=int8,*.out=float weights per channel, int8 activations")
	c, err := readRunConfig(filepath.Join(dir, configFile))
	require.NoError(t, err)
	m := c.Config.Model
	assert.Equal(t, "binary,*.ffn.*=int8,*.out=float", m.WeightModes())
	assert.Equal(t, quant.PerChannel, m.Granularity)
	page, err := os.ReadFile(filepath.Join(dir, reportFile))
	require.NoError(t, err)
	for _, want := range []string{"mixed sequence transformer", "*.ffn.*", "one a channel", "16 × 64, int8", "16 × 48, binary", " to "} {
		assert.Contains(t, string(page), want)
	}
	assert.NotContains(t, string(page), "attn.out<", "a float layer has no codes")
	status, _, errs = command("eval", dir)
	require.Equal(t, statusOK, status, errs)

	// Of a config file, the flag replaces what it says, and no more.
	config := filepath.Join(dir, configFile)
	for _, o := range []struct{ quantize, want string }{
		{"*.ffn.up=int4", "binary,*.ffn.up=int4"}, {"int4", "int4"}, {"", "binary,*.ffn.*=int8,*.out=float"},
	} {
		again := filepath.Join(t.TempDir(), "again")
		args := []string{"train", "-o", again, "--config", config}
		if o.quantize != "" {
			args = append(args, "--quantize", o.quantize)
		}
		status, _, errs = command(args...)
		require.Equal(t, statusOK, status, errs)
		c, err := readRunConfig(filepath.Join(again, configFile))
		require.NoError(t, err)
		assert.Equal(t, o.want, c.Config.Model.WeightModes())
		assert.Equal(t, quant.PerChannel, c.Config.Model.Granularity)
	}
}

// TestCompareGranularity: it is every mode's, and a config's layer modes are none's.
func TestCompareGranularity(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	status, _, errs := command(append([]string{"train", "-o", run, "--quantize", "*.ffn.*=int8"}, quick...)...)
	require.Equal(t, statusOK, status, errs)
	bytes := map[string][]float64{}
	args := []string{"compare", "--config", filepath.Join(run, configFile), "--seeds", "1", "--baselines=false", "--json"}
	for _, granularity := range []string{"tensor", "channel"} {
		for _, mode := range []string{"float", "int4"} {
			status, out, errs := command(append(slices.Clone(args), "--modes", mode, "--granularity", granularity)...)
			require.Equal(t, statusOK, status, errs)
			bytes[mode] = append(bytes[mode], lastLine(t, out)["packed_bytes"].(float64))
		}
	}
	const h = 16
	assert.Equal(t, bytes["float"][0], bytes["float"][1])
	assert.Equal(t, 4.0*(9*h-4), bytes["int4"][1]-bytes["int4"][0], "scales of 3h, h, 4h and h outputs for 4")
	assert.Equal(t, 12*h*h*3.5-16, bytes["float"][0]-bytes["int4"][0], "half a byte for 4, and 4 scales")
}
