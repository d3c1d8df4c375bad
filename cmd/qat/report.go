package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/train"
	"github.com/schollz/progressbar/v3"
)

// reporter shows what a run does: to a person at a terminal, in a pipe, or
// to a program.
type reporter interface {
	begin(t *train.Trainer, source dataset.Source, parts dataset.Parts)
	step(e train.Event)
	epoch(e train.Event, m train.Epoch)
	abort()
	trained(t *train.Trainer) // the last step is made
	now(what string)          // is worked at, once the model is trained
	end(r result)
}

func newReporter(c *console, asJSON bool) reporter {
	switch {
	case asJSON:
		return jsonReporter{c}
	case c.terminal && !c.quiet:
		return &barReporter{lineReporter: lineReporter{c}}
	}
	return &lineReporter{c}
}

// jsonReporter prints one object a line.
type jsonReporter struct{ c *console }

func (jsonReporter) begin(*train.Trainer, dataset.Source, dataset.Parts) {}
func (jsonReporter) step(train.Event)                                    {}

func (j jsonReporter) epoch(e train.Event, m train.Epoch) {
	if j.c.quiet {
		return
	}
	writeJSON(j.c, struct {
		Event string `json:"event"`
		train.Epoch
		Epochs    int     `json:"epochs"`
		PerSecond float64 `json:"examples_per_second"`
	}{"epoch", m, e.Epochs, e.ExamplesPerSecond})
}
func (jsonReporter) abort()                 {}
func (jsonReporter) trained(*train.Trainer) {}
func (jsonReporter) now(string)             {}

func (j jsonReporter) end(r result) { writeJSON(j.c, r) }

// lineReporter prints a line an epoch.
type lineReporter struct{ c *console }

func (l *lineReporter) begin(t *train.Trainer, source dataset.Source, parts dataset.Parts) {
	if l.c.quiet {
		return
	}
	describeData(l.c, source, parts)
	describeRecipe(l.c, t.Config(), t.Config().Model.Weights())
}

// describeData says what the data came to.
func describeData(w io.Writer, source dataset.Source, parts dataset.Parts) {
	f, validation := parts.Train.Facts(), ""
	if parts.Validation != nil {
		validation = fmt.Sprintf(", %d to validate on", parts.Validation.Len())
	}
	what := fmt.Sprintf("%d classes", len(f.Classes))
	if f.Outputs > 0 {
		what = plural(f.Outputs, "target")
	}
	fmt.Fprintf(w, "data      %s, %s: %d to train on%s, %d to test on; %s\n",
		source.Title(), splitText(source, parts), f.N, validation, parts.Test.Len(), what)
	for _, note := range parts.Notes {
		fmt.Fprintln(w, "note     ", note)
	}
	fmt.Fprintf(w, "inputs    %s of %s%s\n", plural(f.Steps, "step"), plural(f.Channels, "value"), inputText(source, parts.Preprocess))
}

// inputText says how a file's steps and channels become what the model reads.
func inputText(source dataset.Source, p *preprocess.Pipeline) string {
	if p == nil {
		return ""
	}
	text := ": "
	if p.Frame > 1 || p.Hop > 1 {
		text += fmt.Sprintf("frames of %s, one every %d, ", plural(p.Frame, "time step"), p.Hop)
		if p.Center {
			text += "the mean beside them, "
		} else {
			text += "not centred, "
		}
	}
	text += "channels " + channelText(source)
	if p.Inputs != nil {
		text += ", frames too"
	}
	return text
}

// channelText says how the channels are scaled.
func channelText(source dataset.Source) string {
	if source.Prepare.Raw {
		return "as they are"
	}
	return "standardised"
}

// describeRecipe says what is trained and how.
func describeRecipe(w io.Writer, c train.Config, weights string) {
	m := c.Model
	fmt.Fprintf(w, "model     %s, %v activations; hidden %d, %s, %s, positions %v, pooling %v\n",
		weights, m.Activations, m.HiddenSize, plural(m.NumHeads, "head"), plural(m.NumLayers, "layer"), m.Positions, m.Pooling)
	fmt.Fprintf(w, "recipe    %s of batches of %d, learning rate %.3g, dropout %.3g, jitter %.3g, scaling %.3g, shift %.3g\n",
		plural(c.Epochs, "epoch"), c.BatchSize, c.LearnRate, m.Dropout, c.Augment.Jitter, c.Augment.Scale, c.Augment.Shift)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// splitText says how the test part came about.
func splitText(s dataset.Source, parts dataset.Parts) string {
	switch {
	case len(s.Test) > 0:
		return "own test files"
	case parts.Split != "":
		return "split by " + string(parts.Split)
	}
	return s.Split + " split"
}

// metricLines are the measures of the test part.
func metricLines(c *console, m train.Metrics) string {
	if m.Regression() {
		return fmt.Sprintf("test RMSE      %s\ntest MAE       %.5g\ntest R2        %.4f\ntest loss      %.4f\n",
			c.strong(fmt.Sprintf("%.5g", m.RMSE)), m.MAE, m.R2, m.Loss)
	}
	return fmt.Sprintf("test accuracy  %s\ntest loss      %.4f\n", c.strong(fmt.Sprintf("%.4f", m.Accuracy)), m.Loss)
}

// baselineLines hold plain methods beside the measures.
func baselineLines(m train.Metrics, all []baseline) string {
	var lines strings.Builder
	for i, b := range all {
		head, text := "", fmt.Sprintf("%.4f, %s", b.Value, b.Name)
		if i == 0 {
			head = "baselines"
		}
		if m.Regression() {
			text = fmt.Sprintf("RMSE %.5g, %s", b.Value, b.Name)
		}
		if b.Skipped != "" {
			text = b.Name + ": " + b.Skipped
		}
		fmt.Fprintf(&lines, "%-14s %s\n", head, text)
	}
	return lines.String()
}

// scoreText is the measures that a person follows.
func scoreText(m train.Metrics) string {
	if m.Regression() {
		return fmt.Sprintf("loss %.4f  RMSE %.4g", m.Loss, m.RMSE)
	}
	return fmt.Sprintf("loss %.4f  accuracy %.4f", m.Loss, m.Accuracy)
}

func (*lineReporter) step(train.Event) {}

func (l *lineReporter) epoch(e train.Event, m train.Epoch) {
	if l.c.quiet {
		return
	}
	validation := ""
	if m.Validation != nil {
		validation = "  validation " + scoreText(*m.Validation)
	}
	fmt.Fprintf(l.c, "epoch %*d/%d  %s%s  learning rate %.2e  %.0f examples/s\n",
		len(fmt.Sprint(e.Epochs)), m.Epoch, e.Epochs, scoreText(m.Training), validation, m.LearnRate, e.ExamplesPerSecond)
}

func (*lineReporter) abort() {}

// trained says how the training came to its end, where that was by the validation part.
func (l *lineReporter) trained(t *train.Trainer) {
	best := t.BestEpoch()
	if l.c.quiet || best == 0 {
		return
	}
	made, wanted := len(t.History()), t.Config().Epochs
	if made < wanted {
		fmt.Fprintf(l.c, "stopped   early, after epoch %d of %d: %s without a better validation\n", made, wanted, plural(made-best, "epoch"))
	}
	fmt.Fprintf(l.c, "weights   those of epoch %d, the best on the validation part, are kept\n", best)
}

func (l *lineReporter) now(what string) {
	if !l.c.quiet {
		fmt.Fprintln(l.c, "now      ", what)
	}
}

func (l *lineReporter) end(r result) {
	if !l.c.quiet {
		fmt.Fprintln(l.c)
	}
	fmt.Fprintf(l.c, `%sparameters     %d, head included
size           %d bytes as float32, %d packed (%.1f times smaller)
packed model   %s: %d bytes, %.4g bits a quantized weight
parity         %s
time           %.1f s
saved          in %s: %s (to ship), %s (latent weights), %s, %s (open it in a browser)
`, metricLines(l.c, r.Test)+baselineLines(r.Test, r.Baselines), r.Parameters, r.FloatBytes, r.PackedBytes,
		float64(r.FloatBytes)/float64(r.PackedBytes), r.Model.File, r.Model.Bytes, r.Model.BitsAWeight, r.Model.parityText(), r.Seconds, r.Dir, modelFile, latentsFile, curveFile, reportFile)
}

// barReporter shows a progress bar instead of lines.
type barReporter struct {
	lineReporter
	bar        *progressbar.ProgressBar
	validation string // of the last epoch
}

// newBar is a bar of so many steps, or what they are called.
func newBar(c *console, steps int, called string) *progressbar.ProgressBar {
	return progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(c.Writer),
		progressbar.OptionSetWidth(20),
		progressbar.OptionSetItsString(called),
		progressbar.OptionShowIts(),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionUseANSICodes(true),
	)
}

func (b *barReporter) step(e train.Event) {
	if b.bar == nil {
		b.bar = newBar(b.c, e.Steps, "steps")
		_ = b.bar.Set(e.Step - 1) // a resumed run is on its way
	}
	b.bar.Describe(fmt.Sprintf("epoch %d/%d  %s%s", e.Epoch, e.Epochs, scoreText(e.Metrics), b.validation))
	_ = b.bar.Add(1) // a bar that cannot be drawn must not stop the training
}

func (b *barReporter) epoch(_ train.Event, m train.Epoch) {
	if m.Validation != nil {
		b.validation = "  validation " + scoreText(*m.Validation)
	}
}

func (b *barReporter) abort() {
	if b.bar != nil {
		_ = b.bar.Exit()
		fmt.Fprintln(b.c)
	}
}

func (b *barReporter) trained(t *train.Trainer) {
	if b.bar != nil {
		fmt.Fprintln(b.c)
	}
	b.lineReporter.trained(t)
}
