// Package ort runs exported models in ONNX Runtime, and holds their outputs to those of
// package infer. It is a module of its own because it needs cgo and ONNX Runtime's shared
// library: scripts/onnx.sh fetches that and runs the tests.
package ort

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/qat-go/qat/interop/onnx"
	"github.com/qat-go/qat/packed"
	"github.com/stretchr/testify/require"
	onnxruntime "github.com/yalue/onnxruntime_go"
)

var (
	library = flag.String("lib", "", "ONNX Runtime's shared library")
	keep    = flag.String("keep", "", "directory to write every tenth int8 file to, for other programs to check")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *library == "" {
		log.Fatal("ort: name ONNX Runtime's shared library with -lib, as scripts/onnx.sh does")
	}
	onnxruntime.SetSharedLibraryPath(*library)
	if err := onnxruntime.InitializeEnvironment(); err != nil {
		log.Fatalf("ort: %s: %v", *library, err)
	}
	log.Printf("ONNX Runtime %s", onnxruntime.GetVersion())
	status := m.Run()
	onnxruntime.DestroyEnvironment()
	os.Exit(status)
}

// session is a model in ONNX Runtime.
type session struct {
	*onnxruntime.DynamicAdvancedSession
	inputs, outputs []onnxruntime.InputOutputInfo
}

// exports counts calls of exported.
var exports int

// exported is p as a file.
func exported(t testing.TB, p *packed.Model, w onnx.Weights) []byte {
	t.Helper()
	var file bytes.Buffer
	require.NoError(t, onnx.Encode(&file, p, w))
	if exports++; *keep != "" && w == onnx.Int8 && exports%10 == 0 {
		require.NoError(t, os.WriteFile(filepath.Join(*keep, fmt.Sprintf("%d.onnx", exports)), file.Bytes(), 0o666))
	}
	return file.Bytes()
}

// open makes a session of a file, with the default options.
func open(t testing.TB, file []byte) *session {
	t.Helper()
	return openWith(t, file, nil)
}

// openWith is open with options.
func openWith(t testing.TB, file []byte, options *onnxruntime.SessionOptions) *session {
	t.Helper()
	s := &session{}
	var err error
	s.inputs, s.outputs, err = onnxruntime.GetInputOutputInfoWithONNXData(file)
	require.NoError(t, err)
	s.DynamicAdvancedSession, err = onnxruntime.NewDynamicAdvancedSessionWithONNXData(file, names(s.inputs), names(s.outputs), options)
	require.NoError(t, err)
	t.Cleanup(func() { s.Destroy() })
	return s
}

func names(infos []onnxruntime.InputOutputInfo) (all []string) {
	for _, i := range infos {
		all = append(all, i.Name)
	}
	return all
}

// steps is how many raw steps a row of the input has, and channels their values.
func (s *session) steps() int    { return int(s.inputs[0].Dimensions[1]) }
func (s *session) channels() int { return int(s.inputs[0].Dimensions[2]) }

// takesLengths says whether series may be shorter than steps.
func (s *session) takesLengths() bool { return len(s.inputs) == 2 }

// run runs the model on one batch of series, [steps, channels] each, and returns its
// outputs by name. What stands before a series is NaN.
func (s *session) run(t testing.TB, series [][]float32) map[string][]float32 {
	t.Helper()
	row := s.steps() * s.channels()
	x, lengths := make([]float32, len(series)*row), make([]int64, len(series))
	for i := range x {
		x[i] = float32(math.NaN())
	}
	for i, one := range series {
		copy(x[(i+1)*row-len(one):], one)
		lengths[i] = int64(len(one) / s.channels())
		require.True(t, s.takesLengths() || len(one) == row, "series of %d values, want %d", len(one), row)
	}
	return s.runPadded(t, x, lengths)
}

// runPadded is run of rows that are filled already.
func (s *session) runPadded(t testing.TB, x []float32, lengths []int64) map[string][]float32 {
	t.Helper()
	n := int64(len(lengths))
	in, err := onnxruntime.NewTensor(onnxruntime.NewShape(n, int64(s.steps()), int64(s.channels())), x)
	require.NoError(t, err)
	defer in.Destroy()
	inputs := []onnxruntime.Value{in}
	if s.takesLengths() {
		l, err := onnxruntime.NewTensor(onnxruntime.NewShape(n), lengths)
		require.NoError(t, err)
		defer l.Destroy()
		inputs = append(inputs, l)
	}
	outputs := make([]onnxruntime.Value, len(s.outputs))
	require.NoError(t, s.Run(inputs, outputs))
	all := map[string][]float32{}
	for i, o := range outputs {
		require.Equal(t, n, o.GetShape()[0], "the batch of output %s", s.outputs[i].Name)
		all[s.outputs[i].Name] = slices.Clone(o.(*onnxruntime.Tensor[float32]).GetData())
		o.Destroy()
	}
	return all
}
