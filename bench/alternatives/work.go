// Package alternatives has what its programs have in common: they run the model of this
// library, in float, on other Go libraries, and print one JSON object each.
package alternatives

import (
	"encoding/json"
	"flag"
	"os"
	"runtime"
	"slices"
	"time"
)

// Config is the model's size.
type Config struct{ Batch, Steps, Embed, Hidden, Heads, Layers, Classes int }

// Flags are the size, and how long to measure.
func Flags() (c Config, seconds float64) {
	flag.IntVar(&c.Batch, "batch", 32, "sequences a step")
	flag.IntVar(&c.Steps, "steps", 60, "steps of a sequence")
	flag.IntVar(&c.Embed, "embed", 256, "values of a step")
	flag.IntVar(&c.Hidden, "hidden", 256, "width")
	flag.IntVar(&c.Heads, "heads", 4, "attention heads")
	flag.IntVar(&c.Layers, "layers", 4, "blocks")
	flag.Float64Var(&seconds, "seconds", 3, "how long to measure")
	flag.Parse()
	c.Classes = 10
	return c, seconds
}

// Result is what a program prints.
type Result struct {
	MedianMS   float64 `json:"median_ms"`
	AllocBytes uint64  `json:"alloc_bytes"` // a step
	FirstLoss  float64 `json:"first_loss"`
	LastLoss   float64 `json:"last_loss"`
}

// Measure times step, which trains on one batch and returns its loss, warm.
func Measure(seconds float64, step func() float64) {
	var r Result
	r.FirstLoss = step()
	step()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var times []float64
	for end := time.Now().Add(time.Duration(seconds * float64(time.Second))); len(times) < 3 || time.Now().Before(end); {
		start := time.Now()
		r.LastLoss = step()
		times = append(times, float64(time.Since(start).Nanoseconds())/1e6)
	}
	runtime.ReadMemStats(&after)
	slices.Sort(times)
	r.MedianMS = times[len(times)/2]
	r.AllocBytes = (after.TotalAlloc - before.TotalAlloc) / uint64(len(times))
	json.NewEncoder(os.Stdout).Encode(r)
}
