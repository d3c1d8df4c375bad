// Command ort times ONNX Runtime, called from Go.
//
//	ort -lib libonnxruntime.so.1 -model M_int8.onnx -batch 1 -steps 60 -embed 256 -hidden 256 -threads 1 -seconds 3
//
// It prints one JSON object.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	ort "github.com/yalue/onnxruntime_go"
)

func main() {
	lib := flag.String("lib", "", "ONNX Runtime's shared library")
	model := flag.String("model", "", "the model")
	batch := flag.Int64("batch", 1, "sequences a call")
	steps := flag.Int64("steps", 60, "steps of a sequence")
	embed := flag.Int64("embed", 256, "values of a step")
	hidden := flag.Int64("hidden", 256, "outputs")
	threads := flag.Int("threads", 1, "threads")
	seconds := flag.Float64("seconds", 3, "how long to measure")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*lib, *model, *batch, *steps, *embed, *hidden, *threads, *seconds); err != nil {
		log.Fatal("ort: ", err)
	}
}

func run(lib, model string, batch, steps, embed, hidden int64, threads int, seconds float64) error {
	ort.SetSharedLibraryPath(lib)
	if err := ort.InitializeEnvironment(); err != nil {
		return err
	}
	defer ort.DestroyEnvironment()
	options, err := ort.NewSessionOptions()
	if err != nil {
		return err
	}
	defer options.Destroy()
	for _, err := range []error{
		options.SetIntraOpNumThreads(threads), options.SetInterOpNumThreads(1),
		options.SetExecutionMode(ort.ExecutionModeSequential),
		options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
	} {
		if err != nil {
			return err
		}
	}
	x := make([]float32, batch*steps*embed)
	for i := range x {
		x[i] = float32(rand.NormFloat64())
	}
	in, err := ort.NewTensor(ort.NewShape(batch, steps, embed), x)
	if err != nil {
		return err
	}
	out, err := ort.NewEmptyTensor[float32](ort.NewShape(batch, hidden))
	if err != nil {
		return err
	}
	session, err := ort.NewAdvancedSession(model, []string{"x"}, []string{"y"}, []ort.Value{in}, []ort.Value{out}, options)
	if err != nil {
		return fmt.Errorf("%s: %w", model, err)
	}
	defer session.Destroy()
	for range 5 {
		if err := session.Run(); err != nil {
			return err
		}
	}
	var times []float64
	for end := time.Now().Add(time.Duration(seconds * float64(time.Second))); len(times) < 5 || time.Now().Before(end); {
		start := time.Now()
		if err := session.Run(); err != nil {
			return err
		}
		times = append(times, float64(time.Since(start).Nanoseconds())/1e6)
	}
	slices.Sort(times)
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"median_ms": times[len(times)/2], "min_ms": times[0], "onnxruntime": ort.GetVersion(),
	})
}
