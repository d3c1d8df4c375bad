// Command bench measures this library against PyTorch and ONNX Runtime on the same
// work, in turns, and writes a table of ratios. bench.sh fetches what it needs.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

var (
	qat     = flag.String("qat", "qat", "the command to measure")
	python  = flag.String("python", "/usr/bin/python3", "a Python that has PyTorch and onnx")
	ortRun  = flag.String("ort", "ort", "the timer of ONNX Runtime")
	lib     = flag.String("lib", "", "ONNX Runtime's shared library")
	models  = flag.String("models", "", "directory of peer.py's ONNX models")
	openmp  = flag.String("openmp", "", "directory of OpenBLAS's OpenMP build, for PyTorch")
	rounds  = flag.Int("rounds", 5, "turns of each comparison")
	seconds = flag.Float64("seconds", 2, "how long each turn measures")
	only    = flag.String("only", "", "measure only what has this in its name")
	out     = flag.String("o", "", "write the document here")
)

func main() {
	flag.Parse()
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal("bench: ", err)
	}
}

func run() error {
	makeSections()
	var doc bytes.Buffer
	for _, s := range sections {
		fmt.Fprintf(&doc, "## %s\n\n%s\n\n| work | ours, ms | theirs | theirs, ms | ratio | must |\n|---|---|---|---|---|---|\n", s.title, s.about)
		for _, c := range s.comparisons {
			if !strings.Contains(c.name, *only) {
				continue
			}
			line, err := c.measure()
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			fmt.Println(line)
			doc.WriteString(line + "\n")
		}
		doc.WriteByte('\n')
	}
	if *out == "" {
		return nil
	}
	page := head(machine()) + doc.String() + tail
	return os.WriteFile(*out, []byte(page), 0o644)
}

// comparison is our time of some work against each of the others', in turns.
type comparison struct {
	name   string
	ours   command
	theirs []peer
}

// peer is another's time; ours over it must be at most must, or 0 for information.
type peer struct {
	name string
	command
	must float64
}

// command is a process that prints its measurement as JSON.
type command struct {
	args []string
	env  []string
}

// measure takes turns, and writes a row for each of the others: medians, and the median
// of the turns' ratios.
func (c comparison) measure() (string, error) {
	ours, theirs := make([]float64, *rounds), make([][]float64, len(c.theirs))
	for i := range *rounds {
		t, err := c.ours.run()
		if err != nil {
			return "", err
		}
		ours[i] = t
		for j, p := range c.theirs {
			if t, err = p.run(); err != nil {
				return "", err
			}
			theirs[j] = append(theirs[j], t)
		}
	}
	var rows []string
	for j, p := range c.theirs {
		ratios := make([]float64, *rounds)
		for i := range ratios {
			ratios[i] = ours[i] / theirs[j][i]
		}
		must := ""
		if p.must > 0 {
			must = fmt.Sprintf("<= %.2f", p.must)
		}
		rows = append(rows, fmt.Sprintf("| %s | %.4g | %s | %.4g | %.2f | %s |", c.name, median(ours), p.name, median(theirs[j]), median(ratios), must))
	}
	return strings.Join(rows, "\n"), nil
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[len(x)/2] + x[(len(x)-1)/2]) / 2
}

// run returns the median of one process's measurement, in milliseconds.
func (c command) run() (float64, error) {
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stderr = new(bytes.Buffer)
	text, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", strings.Join(c.args, " "), err, cmd.Stderr)
	}
	var found struct {
		Median      float64 `json:"median_ms"`
		ONNXRuntime string  `json:"onnxruntime"`
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &found); err != nil || found.Median <= 0 {
		return 0, fmt.Errorf("%s: no median in %q", strings.Join(c.args, " "), text)
	}
	if found.ONNXRuntime != "" {
		ortVersion = found.ONNXRuntime
	}
	return found.Median, nil
}

// ortVersion is what ONNX Runtime said it is.
var ortVersion = "not measured"

// machine describes what is measured on, and with what.
func machine() string {
	first := func(name string, args ...string) string {
		text, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			return "unknown"
		}
		return strings.TrimSpace(strings.SplitN(string(text), "\n", 2)[0])
	}
	model := "unknown CPU"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
		for _, field := range []string{"cpu family", "model\t"} {
			for line := range strings.Lines(string(info)) {
				if strings.HasPrefix(line, field) {
					_, value, _ := strings.Cut(line, ":")
					model += ", " + strings.TrimSpace(strings.TrimSpace(field)+" "+strings.TrimSpace(value))
					break
				}
			}
		}
	}
	return fmt.Sprintf("%s, %d CPUs, %s/%s; %s; PyTorch %s; ONNX Runtime %s. %s.",
		model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(),
		first(*python, "-c", "import torch; print(torch.__version__)"),
		ortVersion,
		time.Now().Format("2 January 2006"))
}
