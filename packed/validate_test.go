package packed

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

func TestValidate(t *testing.T) {
	require.NoError(t, full(t).Validate())
	for _, mode := range quant.Modes() {
		m := random(t, smallSpec(mode), nil)
		require.NoError(t, m.Validate(), "%v", mode)
		require.NoError(t, edifice(t, mode).Validate(), "%v", mode)
	}
	for name, change := range changes() {
		m := full(t)
		change(m)
		assert.NoError(t, m.Validate(), name)
	}
	// What quant makes of a weight of zeros.
	m := random(t, smallSpec(quant.Binary), nil)
	m.Weights[0].Scales[0] = 0
	assert.NoError(t, m.Validate())
}

func edifice(t require.TestingT, mode quant.Mode) *Model {
	s := smallSpec(mode)
	s.Numerics, s.Activations = spec.Edifice, spec.FloatActivations
	return random(t, s, nil)
}

// TestValidate_faults breaks a valid model by one rule at a time.
func TestValidate_faults(t *testing.T) {
	const qkv, out, up = "packed: tensor blocks.0.attn.qkv.weight", "packed: tensor blocks.0.attn.out.weight", "packed: tensor blocks.0.ffn.up.weight"
	const down, final = "packed: tensor blocks.0.ffn.down.weight", "packed: tensor final_norm.weight"
	for _, tc := range []struct {
		name   string
		damage func(m *Model)
		want   string
	}{
		{"spec", func(m *Model) { m.Spec.NumHeads = 2 }, "packed: spec: WithNumHeads: hidden size 7 is not a multiple of 2 heads"},
		{"spec_size", func(m *Model) { m.Spec.HiddenSize = 0 }, "packed: spec: WithHiddenSize: hidden size 0 is outside 1..32768"},
		{"spec_mode", func(m *Model) { m.Spec.Quantize = 9 }, "packed: spec: WithQuantize: unknown mode 9: want one of [float binary ternary int4 int8]"},
		{"spec_pattern", func(m *Model) { m.Spec.LayerModes[0].Pattern = "*.0.*[^\xff]kv" }, `packed: spec: pattern "*.0.*[^\xff]kv" is not UTF-8`},
		{"spec_long", func(m *Model) {
			m.Spec.LayerModes[0].Pattern = "*.0.*[q" + strings.Repeat("q", 1<<16) + "]kv"
		}, "bytes of JSON, want at most 65536"},
		{"head_width", func(m *Model) { m.Head.Width = 0 }, "packed: head: width 0 is outside 1..1073741824"},
		{"head_size", func(m *Model) { m.Head.Width, m.Head.Classes = 1<<30, nil }, "packed: tensor head.weight: shape [7 1073741824], want dimensions from 1 up and at most 1073741824 values"},
		{"head_classes", func(m *Model) { m.Head.Classes = m.Head.Classes[1:] }, "packed: head: 2 classes, want the width 3"},
		{"head_no_classes", func(m *Model) { m.Head.Classes = []string{} }, "packed: head: 0 classes, want the width 3"},
		{"head_class_empty", func(m *Model) { m.Head.Classes[1] = "" }, "packed: head: class 1 has no name"},
		{"head_class_text", func(m *Model) { m.Head.Classes[1] = "\xff" }, `packed: head: class 1, "\xff", is not UTF-8`},
		{"head_class_twice", func(m *Model) { m.Head.Classes[2] = m.Head.Classes[0] }, `packed: head: classes 0 and 2 are both named "<a & b>"`},
		{"head_both", func(m *Model) { id := preprocess.Identity(3); m.Head.Targets = &id }, "packed: head: classes and targets, want one of them at most"},
		{"head_targets", func(m *Model) { id := preprocess.Identity(2); m.Head = &Head{Targets: &id, Width: 3} }, "packed: head: targets: preprocess: 2 means and 2 deviations, want 3 of each"},
		{"head_none", func(m *Model) { m.Head = nil }, "packed: tensor head.weight: the model has no float tensor of this name"},
		{"head_missing", func(m *Model) { m.Tensors = m.Tensors[:len(m.Tensors)-1] }, "packed: tensor head.bias is missing"},
		{"input", func(m *Model) { m.Input.Hop = 0 }, "packed: input: preprocess: frame 2, hop 0, window 11, want 1 or more of each"},
		{"input_window", func(m *Model) { m.Input.Window = 13 }, "packed: input: window 13 of 6 features, want the model's 11 of 6"},
		{"input_features", func(m *Model) { m.Input.Frame, m.Input.Inputs = 3, nil }, "packed: input: window 11 of 8 features, want the model's 11 of 6"},
		{"input_text", func(m *Model) { m.Input.Channels[1] = "\xff" }, `packed: input: channel 1, "\xff", is not UTF-8`},
		{"weight_missing", func(m *Model) { m.Weights = m.Weights[1:] }, qkv + " is missing"},
		{"weight_twice", func(m *Model) { m.Weights = append(m.Weights, m.Weights[0]) }, qkv + " is there twice"},
		{"weight_unknown", func(m *Model) { m.Weights[0].Name = "w" }, "packed: tensor w: the model has no quantized weight of this name"},
		{"weight_float", func(m *Model) { m.Weights[0].Name = "final_norm.weight" }, final + ": the model has no quantized weight of this name"},
		{"weight_order", func(m *Model) { m.Weights[0], m.Weights[1] = m.Weights[1], m.Weights[0] }, out + " is in the place of blocks.0.attn.qkv.weight, want the order of spec.Model.Params"},
		{"weight_mode", func(m *Model) { m.Weights[0].Mode = quant.Ternary }, qkv + ".codes: ternary [7, 21], want binary [7 21]"},
		{"weight_shape", func(m *Model) { m.Weights[0].In, m.Weights[0].Out = 21, 7 }, qkv + ".codes: binary [21, 7], want binary [7 21]"},
		{"codes_short", func(m *Model) { m.Weights[0].Codes = m.Weights[0].Codes[1:] }, qkv + ".codes: 18 bytes, want 19 for 147 binary codes"},
		{"codes_binary_spare", func(m *Model) { m.Weights[0].Codes[18] = 8 }, qkv + ".codes: the last byte is 8, want less than 8 for 3 codes"},
		{"codes_ternary", func(m *Model) { m.Weights[3].Codes[3] = 243 }, down + ".codes: byte 3 is 243, want at most 242"},
		{"codes_ternary_spare", func(m *Model) { m.Weights[3].Codes[39] = 3 }, down + ".codes: the last byte is 3, want less than 3 for 1 codes"},
		{"codes_int4_low", func(m *Model) { m.Weights[1].Codes[2] = 0x18 }, out + ".codes: code 4 is -8, want -7 to 7"},
		{"codes_int4_high", func(m *Model) { m.Weights[1].Codes[2] = 0x81 }, out + ".codes: code 5 is -8, want -7 to 7"},
		{"codes_int4_spare", func(m *Model) { m.Weights[1].Codes[24] = 0x10 }, out + ".codes: the last byte is 16, want less than 16 for 1 codes"},
		{"codes_int8", func(m *Model) { m.Weights[2].Codes[5] = 0x80 }, up + ".codes: code 5 is -128, want -127 to 127"},
		{"scale_nan", func(m *Model) { m.Weights[0].Scales[2] = nan }, qkv + ".scale: scale 2 is NaN, want a finite number from 0 up"},
		{"scale_inf", func(m *Model) { m.Weights[0].Scales[2] = inf }, qkv + ".scale: scale 2 is +Inf"},
		{"scale_negative", func(m *Model) { m.Weights[0].Scales[2] = -1 }, qkv + ".scale: scale 2 is -1"},
		{"scale_minus_0", func(m *Model) { m.Weights[0].Scales[2] = float32(math.Copysign(0, -1)) }, qkv + ".scale: scale 2 is -0"},
		{"scales", func(m *Model) { m.Weights[0].Scales = m.Weights[0].Scales[:1] }, qkv + ".scale: 1 scales, want 21"},
		{"granularity", func(m *Model) { m.Spec.Granularity = quant.PerTensor }, qkv + ".scale: 21 scales, want 1"},
		{"tensor_missing", func(m *Model) { m.Tensors = slices.Delete(m.Tensors, 3, 4) }, "packed: tensor blocks.0.attn_norm.weight is missing"},
		{"tensor_twice", func(m *Model) { m.Tensors = append(m.Tensors, m.Tensors[3]) }, "packed: tensor blocks.0.attn_norm.weight is there twice"},
		{"tensor_unknown", func(m *Model) { m.Tensors = append(m.Tensors, Tensor{Name: "w"}) }, "packed: tensor w: the model has no float tensor of this name"},
		{"tensor_quantized", func(m *Model) { m.Tensors = append(m.Tensors, Tensor{Name: m.Weights[0].Name}) }, qkv + ": the model has no float tensor of this name"},
		{"tensor_order", func(m *Model) { m.Tensors[3], m.Tensors[4] = m.Tensors[4], m.Tensors[3] }, "packed: tensor blocks.0.attn_norm.bias is in the place of blocks.0.attn_norm.weight"},
		{"tensor_shape", func(m *Model) { m.Tensors[0].Shape = []int{7, 6} }, "packed: tensor input_projection.weight: shape [7 6], want [6 7]"},
		{"tensor_values", func(m *Model) { m.Tensors[0].Values = m.Tensors[0].Values[1:] }, "packed: tensor input_projection.weight: 41 values for shape [6 7], want 42"},
		{"tensor_nan", func(m *Model) { m.Tensors[0].Values[41] = nan }, "packed: tensor input_projection.weight: element 41 is NaN"},
		{"tensor_inf", func(m *Model) { m.Tensors[0].Values[41] = -inf }, "packed: tensor input_projection.weight: element 41 is -Inf"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := full(t)
			tc.damage(m)
			assert.ErrorContains(t, m.Validate(), tc.want)
		})
	}
}

func TestValidate_edifice(t *testing.T) {
	for _, mode := range []quant.Mode{quant.Binary, quant.Ternary} {
		m := edifice(t, mode)
		m.Weights[1].Scales[0] = 0.5
		assert.ErrorContains(t, m.Validate(), "packed: tensor blocks.0.attn.out.weight.scale: scale 0 is 0.5, want 1: "+mode.String()+" codes have none in the Edifice numerics")
	}
}

// TestValidate_joined: every fault at once, a line each.
func TestValidate_joined(t *testing.T) {
	m := full(t)
	m.Spec.Dropout = 1
	m.Head.Classes[0] = ""
	m.Input.Window = 0
	m.Weights[0].Codes[0], m.Weights[0].Codes[18] = 0, 255
	m.Weights[0].Scales[0] = nan
	m.Weights[1].Mode = quant.Binary
	m.Tensors[0].Values[0] = nan
	m.Tensors = m.Tensors[:len(m.Tensors)-1]
	lines := strings.Split(m.Validate().Error(), "\n")
	assert.Len(t, lines, 8, "%s", lines)
	for _, l := range lines {
		assert.True(t, strings.HasPrefix(l, "packed: "), l)
	}
}

// TestValidate_sizes: what is too large for a file is said before it is written.
func TestValidate_sizes(t *testing.T) {
	m := random(t, smallSpec(quant.Binary), &Head{Width: 1, Classes: []string{strings.Repeat("x", 4<<20)}})
	assert.ErrorContains(t, m.Validate(), "want at most 4194304: too many tensors, or too much metadata")
}
