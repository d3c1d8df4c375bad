package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/train"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// reporter tells what a training does: to a person at a terminal, in a pipe, or
// to a program.
type reporter interface {
	begin(t *train.Trainer, source dataset.Source, parts dataset.Parts)
	warn(text string)
	step(e train.Event)
	epoch(e train.Event, m train.Epoch)
	abort()
	end(r result)
}

func newReporter(w io.Writer, asJSON bool) reporter {
	if asJSON {
		return jsonReporter{w}
	}
	to := w
	if o, ok := w.(*output); ok {
		to = o.Writer
	}
	if f, ok := to.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &barReporter{lineReporter: lineReporter{w}}
	}
	return &lineReporter{w}
}

// jsonReporter prints one object a line.
type jsonReporter struct{ w io.Writer }

func (jsonReporter) begin(*train.Trainer, dataset.Source, dataset.Parts) {}

func (j jsonReporter) warn(text string) {
	writeJSON(j.w, struct {
		Event string `json:"event"`
		Text  string `json:"text"`
	}{"warning", text})
}

func (jsonReporter) step(train.Event) {}
func (j jsonReporter) epoch(e train.Event, m train.Epoch) {
	writeJSON(j.w, struct {
		Event string `json:"event"`
		train.Epoch
		Epochs    int     `json:"epochs"`
		PerSecond float64 `json:"examples_per_second"`
	}{"epoch", m, e.Epochs, e.ExamplesPerSecond})
}
func (jsonReporter) abort()         {}
func (j jsonReporter) end(r result) { writeJSON(j.w, r) }

// lineReporter prints a line an epoch.
type lineReporter struct{ w io.Writer }

func (l *lineReporter) begin(t *train.Trainer, source dataset.Source, parts dataset.Parts) {
	m := t.Config().Model
	validation := ""
	if parts.Validation != nil {
		validation = fmt.Sprintf(", %d to validate on", parts.Validation.Len())
	}
	how := source.Split + " split"
	if len(source.Test) > 0 {
		how = "own test files"
	}
	fmt.Fprintf(l.w, "data      %s, %s: %d to train on%s, %d to test on; %d steps of %d values\n",
		source.Title(), how, parts.Train.Len(), validation, parts.Test.Len(), m.WindowSize, m.EmbedDim)
	for _, note := range parts.Notes {
		fmt.Fprintln(l.w, "note     ", note)
	}
	fmt.Fprintf(l.w, "model     %v weights, %v activations; hidden %d, %d heads, %d layers, positions %v, pooling %v\n",
		m.Quantize, m.Activations, m.HiddenSize, m.NumHeads, m.NumLayers, m.Positions, m.Pooling)
}

func (l *lineReporter) warn(text string) { fmt.Fprintln(l.w, "warning  ", text) }

func (*lineReporter) step(train.Event) {}

func (l *lineReporter) epoch(e train.Event, m train.Epoch) {
	validation := ""
	if m.Validation != nil {
		validation = fmt.Sprintf("  validation loss %.4f  accuracy %.4f", m.Validation.Loss, m.Validation.Accuracy)
	}
	fmt.Fprintf(l.w, "epoch %*d/%d  loss %.4f  accuracy %.4f%s  learning rate %.2e  %.0f examples/s\n",
		len(fmt.Sprint(e.Epochs)), m.Epoch, e.Epochs, m.Loss, m.Accuracy, validation, m.LearnRate, e.ExamplesPerSecond)
}

func (*lineReporter) abort() {}

func (l *lineReporter) end(r result) {
	fmt.Fprintf(l.w, `
test accuracy  %.4f
test loss      %.4f
parameters     %d, head included
size           %d bytes as float32, %d packed (%.1f times smaller)
time           %.1f s
saved          in %s: %s (latent weights), %s, %s (open it in a browser)
`, r.TestAccuracy, r.TestLoss, r.Parameters, r.FloatBytes, r.PackedBytes,
		float64(r.FloatBytes)/float64(r.PackedBytes), r.Seconds, r.Dir, latentsFile, curveFile, reportFile)
}

// barReporter shows a progress bar instead of lines.
type barReporter struct {
	lineReporter
	bar *progressbar.ProgressBar
}

func (b *barReporter) step(e train.Event) {
	if b.bar == nil {
		b.bar = progressbar.NewOptions(e.Steps,
			progressbar.OptionSetWriter(b.w),
			progressbar.OptionSetWidth(20),
			progressbar.OptionSetItsString("steps"),
			progressbar.OptionShowIts(),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionUseANSICodes(true),
		)
	}
	b.bar.Describe(fmt.Sprintf("epoch %d/%d  loss %.3f  accuracy %.3f", e.Epoch, e.Epochs, e.Loss, e.Accuracy))
	_ = b.bar.Add(1) // a bar that cannot be drawn must not stop the training
}

func (*barReporter) epoch(train.Event, train.Epoch) {}

func (b *barReporter) abort() {
	if b.bar != nil {
		_ = b.bar.Exit()
		fmt.Fprintln(b.w)
	}
}

func (b *barReporter) end(r result) {
	fmt.Fprintln(b.w)
	b.lineReporter.end(r)
}
