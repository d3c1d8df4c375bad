// Package ort holds exported models to ONNX Runtime, which it calls through its
// shared library: QAT_ONNXRUNTIME names that. scripts/onnx.sh fetches it and runs this.
package ort

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/internal/samebits"
	"github.com/qat-go/qat/interop/onnx"
	"github.com/qat-go/qat/packed"
	"github.com/stretchr/testify/require"
	ort "github.com/yalue/onnxruntime_go"
)

func TestMain(m *testing.M) {
	lib := os.Getenv("QAT_ONNXRUNTIME")
	if lib == "" {
		fmt.Println("QAT_ONNXRUNTIME does not name ONNX Runtime's shared library: run scripts/onnx.sh")
		os.Exit(1)
	}
	ort.SetSharedLibraryPath(lib)
	if err := ort.InitializeEnvironment(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ONNX Runtime", ort.GetVersion())
	code := m.Run()
	ort.DestroyEnvironment()
	os.Exit(code)
}

// session is an exported model in ONNX Runtime.
type session struct {
	*ort.DynamicAdvancedSession
	inputs, outputs []string
	steps           int
}

func open(t *testing.T, m *packed.Model, weights onnx.Weights) session {
	t.Helper()
	var file bytes.Buffer
	require.NoError(t, onnx.Encode(&file, m, weights))
	in, out, err := ort.GetInputOutputInfoWithONNXData(file.Bytes())
	require.NoError(t, err)
	s := session{steps: int(in[0].Dimensions[1])}
	for _, i := range in {
		s.inputs = append(s.inputs, i.Name)
	}
	for _, i := range out {
		s.outputs = append(s.outputs, i.Name)
	}
	options, err := ort.NewSessionOptions()
	require.NoError(t, err)
	defer options.Destroy()
	require.NoError(t, options.SetIntraOpNumThreads(1))
	require.NoError(t, options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll))
	s.DynamicAdvancedSession, err = ort.NewDynamicAdvancedSessionWithONNXData(file.Bytes(), s.inputs, s.outputs, options)
	require.NoError(t, err)
	t.Cleanup(func() { s.Destroy() })
	return s
}

// run runs sequences that lie at the end of steps of x [n, steps, channels].
func (s session) run(t *testing.T, x []float32, lengths []int64, steps, channels int) [][]float32 {
	t.Helper()
	n := int64(len(lengths))
	in, err := ort.NewTensor(ort.NewShape(n, int64(steps), int64(channels)), x)
	require.NoError(t, err)
	defer in.Destroy()
	inputs := []ort.Value{in}
	if len(s.inputs) == 2 {
		l, err := ort.NewTensor(ort.NewShape(n), lengths)
		require.NoError(t, err)
		defer l.Destroy()
		inputs = append(inputs, l)
	}
	outputs := make([]ort.Value, len(s.outputs))
	require.NoError(t, s.Run(inputs, outputs))
	var all [][]float32
	for _, o := range outputs {
		all = append(all, bytesOf(o.(*ort.Tensor[float32])))
		o.Destroy()
	}
	return all
}

func bytesOf(v *ort.Tensor[float32]) []float32 { return append([]float32(nil), v.GetData()...) }

// TestCases: ONNX Runtime has the bits of infer, for every mode, granularity, pooling and
// kind of positions, all lengths in one batch, and however the weights are stored.
func TestCases(t *testing.T) {
	values := 0
	for i, c := range samebits.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			m, err := c.Model()
			require.NoError(t, err)
			own, err := infer.New(m)
			require.NoError(t, err)
			s := open(t, m, onnx.Weights(i%3))
			channels, windows := c.Spec.EmbedDim, c.Windows()
			size := s.steps * channels
			x := make([]float32, len(windows)*size)
			for i := range x {
				x[i] = float32(math.NaN()) // what is not real is not read
			}
			lengths := make([]int64, len(windows))
			for i, w := range windows {
				lengths[i] = int64(len(w) / channels)
				copy(x[(i+1)*size-len(w):], w)
			}
			got := s.run(t, x, lengths, s.steps, channels)[0]
			each := len(got) / len(windows)
			for i, w := range windows {
				want, err := own.Predict(nil, w)
				require.NoError(t, err)
				padded, real := got[i*each:(i+1)*each-len(want)], got[(i+1)*each-len(want):(i+1)*each]
				require.Equal(t, make([]float32, len(padded)), padded)
				for j, y := range real {
					require.Equal(t, math.Float32bits(want[j]), math.Float32bits(y), "sequence %d of %d steps, output %d: got %v, want %v", i, lengths[i], j, y, want[j])
				}
				values += len(want)
			}
		})
	}
	t.Logf("%d outputs have the same bits", values)
}
