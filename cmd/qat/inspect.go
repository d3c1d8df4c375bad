package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/qat-go/qat/train"
	"github.com/spf13/cobra"
)

// inspectCommand is qat inspect.
func inspectCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect MODEL",
		Short: "Say what a packed model holds",
		Long: `Say what a packed model, model.qat or that of a run's directory, holds: of each layer
its shape, mode, scales, how often each code occurs, the share of zeros, the entropy of
its codes and its bytes; and what the model reads and returns.`,
		Example:           "  qat inspect " + defaultDir + "/" + modelFile + "\n  qat inspect model.qat --json",
		ValidArgsFunction: completeModels,
		Args:              oneModel,
		RunE: func(cmd *cobra.Command, args []string) error {
			return work(runInspect(args[0], asJSON, newConsole(cmd)))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// inspection is what qat inspect prints with --json.
type inspection struct {
	Event  string `json:"event"`
	File   string `json:"file"`
	SHA256 string `json:"sha256"` // of the whole file
	modelSize
	Spec   spec.Model     `json:"spec"`
	Layers []layerFacts   `json:"layers"`
	Other  int            `json:"other_bytes"` // norms, biases, positions
	Head   *packed.Head   `json:"head"`
	Input  *pipelineFacts `json:"input"`
}

// layerFacts is one linear layer.
type layerFacts struct {
	Name  string     `json:"name"`
	Shape []int      `json:"shape"` // [in, out]
	Mode  quant.Mode `json:"mode"`
	Bytes int        `json:"bytes"`
	// Of a quantized one. Codes counts its weights by code, from the lowest up.
	Scales   []float32 `json:"scales,omitempty"`
	Codes    []int     `json:"codes,omitempty"`
	Sparsity *float64  `json:"sparsity,omitempty"`
	Entropy  *float64  `json:"entropy_bits,omitempty"`
}

// pipelineFacts is what makes the model's input of raw values.
type pipelineFacts struct {
	Channels []string `json:"channels"`
	Steps    int      `json:"steps"` // raw ones that the window holds
	Frame    int      `json:"frame"`
	Hop      int      `json:"hop"`
	Center   bool     `json:"center"`
	Scaled   bool     `json:"inputs_scaled"`
}

func runInspect(path string, asJSON bool, c *console) error {
	p, file, err := openModel(path)
	if err != nil {
		return err
	}
	found, err := inspect(p, file)
	if err != nil {
		return err
	}
	if asJSON {
		writeJSON(c, found)
		return nil
	}
	if !c.quiet {
		if err := writeLayers(c, found.Layers); err != nil {
			return err
		}
		fmt.Fprintln(c)
	}
	writeLines(c, found.lines())
	return nil
}

// inspect collects what p, of a file, is.
func inspect(p *packed.Model, file string) (found inspection, err error) {
	found = inspection{Event: "inspect", File: file, Spec: p.Spec, Head: p.Head}
	if found.modelSize, err = sizeOf(p); err != nil {
		return found, err
	}
	if found.SHA256, err = sumOf(file); err != nil {
		return found, err
	}
	weights := map[string]packed.Weight{}
	for _, w := range p.Weights {
		weights[w.Name] = w
	}
	tensors := map[string]packed.Tensor{}
	for _, t := range p.Tensors {
		tensors[t.Name] = t
	}
	for _, param := range append(p.Spec.Params(), spec.Param{Name: "head.weight"}) { // in the order of use
		name := strings.TrimSuffix(param.Name, ".weight")
		if w, ok := weights[param.Name]; ok {
			found.Layers = append(found.Layers, quantizedFacts(name, w))
		} else if t := tensors[param.Name]; len(t.Shape) == 2 && name != "positions" {
			found.Layers = append(found.Layers, layerFacts{Name: name, Shape: t.Shape, Bytes: 4 * len(t.Values)})
			delete(tensors, param.Name)
		}
	}
	for _, t := range tensors {
		found.Other += 4 * len(t.Values)
	}
	if in := p.Input; in != nil {
		found.Input = &pipelineFacts{in.Channels, stepsOf(p), in.Frame, in.Hop, in.Center, in.Inputs != nil}
	}
	return found, nil
}

// sumOf is the SHA-256 of a file, as sha256sum has it.
func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// quantizedFacts counts the codes of a weight.
func quantizedFacts(name string, w packed.Weight) layerFacts {
	codes := make([]int8, w.In*w.Out)
	w.Unpack(codes)
	most := w.Mode.MaxCode()
	stats := train.LayerStats{Codes: make([]int, 2*most+1)}
	for _, c := range codes {
		stats.Codes[int(c)+most]++
	}
	sparsity, entropy := stats.Sparsity(), stats.Entropy()
	return layerFacts{
		Name: name, Shape: []int{w.In, w.Out}, Mode: w.Mode, Bytes: weightBytes(w),
		Scales: w.Scales, Codes: stats.Codes, Sparsity: &sparsity, Entropy: &entropy,
	}
}

// writeLayers writes the table of layers.
func writeLayers(w io.Writer, layers []layerFacts) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "layer\tshape\tmode\tscale\tcodes\tzeros\tentropy\tbytes")
	for _, l := range layers {
		scale, codes, zeros, entropy := "", "", "", ""
		if l.Codes != nil {
			scale, codes = scaleText(l.Scales), histogram(l.Codes)
			zeros, entropy = fmt.Sprintf("%.1f%%", 100**l.Sparsity), fmt.Sprintf("%.3f bits", *l.Entropy)
		}
		fmt.Fprintf(t, "%s\t%d x %d\t%v\t%s\t%s\t%s\t%s\t%d\n", l.Name, l.Shape[0], l.Shape[1], l.Mode, scale, codes, zeros, entropy, l.Bytes)
	}
	return t.Flush()
}

// scaleText is a scale, or the least and the largest.
func scaleText(scales []float32) string {
	if len(scales) == 1 {
		return fmt.Sprintf("%.4g", scales[0])
	}
	return fmt.Sprintf("%.4g..%.4g", slices.Min(scales), slices.Max(scales))
}

// histogramMost is how many bars stand side by side.
const histogramMost = 17

// histogram is the share of each code, or a bar for each, the tallest for the
// commonest; of many codes a bar stands for several.
func histogram(counts []int) string {
	if len(counts) == 3 {
		n := float64(max(1, counts[0]+counts[1]+counts[2]))
		if counts[1] == 0 {
			return fmt.Sprintf("-1 %.1f%%, +1 %.1f%%", 100*float64(counts[0])/n, 100*float64(counts[2])/n)
		}
		return fmt.Sprintf("-1 %.1f%%, 0 %.1f%%, +1 %.1f%%", 100*float64(counts[0])/n, 100*float64(counts[1])/n, 100*float64(counts[2])/n)
	}
	bars := counts
	if len(counts) > histogramMost {
		bars = nil
		for group := range slices.Chunk(counts, (len(counts)+histogramMost-1)/histogramMost) {
			sum := 0
			for _, n := range group {
				sum += n
			}
			bars = append(bars, sum)
		}
	}
	const heights = " ▁▂▃▄▅▆▇█"
	tall, steps := slices.Max(bars), []rune(heights)
	text := make([]rune, len(bars))
	for i, n := range bars {
		text[i] = steps[(n*(len(steps)-1)+tall-1)/max(tall, 1)] // what occurs can be seen
	}
	limit := len(counts) / 2
	return fmt.Sprintf("%d %s +%d", -limit, string(text), limit)
}

// lines are the totals.
func (f inspection) lines() [][2]string {
	reads := fmt.Sprintf("%s of %s, as they are", plural(f.Spec.WindowSize, "step"), plural(f.Spec.EmbedDim, "value"))
	if in := f.Input; in != nil {
		reads = fmt.Sprintf("raw values of %s (%s), filled and scaled", plural(len(in.Channels), "channel"), some(in.Channels))
		if in.Frame > 1 || in.Hop > 1 {
			reads += fmt.Sprintf(", in frames of %s, one every %d", plural(in.Frame, "step"), in.Hop)
		}
		if in.Center {
			reads += ", centred"
		}
		if in.Scaled {
			reads += ", standardised"
		}
		reads += "; the last " + plural(in.Steps, "step")
	}
	returns := plural(f.Spec.HiddenSize, "output")
	if h := f.Head; h != nil {
		switch returns = plural(h.Width, "output"); {
		case h.Classes != nil:
			returns = fmt.Sprintf("%d classes: %s", len(h.Classes), some(h.Classes))
		case h.Targets != nil:
			returns = plural(h.Width, "target") + ", in the units of the data"
		}
	}
	return [][2]string{
		{"model", f.Spec.String()},
		{"reads", reads},
		{"returns", returns},
		{"parameters", fmt.Sprintf("%d, %d bytes of them norms, biases and positions", f.Parameters, f.Other)},
		{"size", f.modelSize.String()},
		{"sha256", f.SHA256},
	}
}

// some lists names, the first twelve of them.
func some(names []string) string {
	const most = 12
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
