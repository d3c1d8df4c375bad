package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/interop"
	"github.com/qat-go/qat/interop/edifice"
	"github.com/qat-go/qat/interop/torch"
	"github.com/qat-go/qat/spec"
	"github.com/qat-go/qat/train"
	"github.com/spf13/cobra"
)

// importOptions is the flags of qat import.
type importOptions struct {
	file, dir, from, mapping string
	classes                  []string
	model                    spec.Model
	window                   int // 0: not given
	asJSON                   bool
}

// Where models are imported from, and the flags that only one of them has a use for.
const (
	fromEdifice = "edifice"
	fromTorch   = "torch"
)

var torchFlags = []string{"mapping", "classes", "positions", "pooling", "granularity", "activations"}

// importCommand is qat import.
func importCommand() *cobra.Command {
	o := importOptions{model: qat.RecommendedDefaults()}
	m := &o.model
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Make a model of another program's weights",
		Long: `Make a model of weights that another program saved as safetensors, in float32:

  edifice   a model of Elixir's Edifice.Meta.QAT; its numerics are kept
  torch     a float model of this architecture, of PyTorch; a mapping file says under
            which names it has the parameters, where they are not the usual ones

Sizes are the tensors'; what no tensor says is for flags to say. Every tensor must be
a parameter of the model, and every parameter a tensor. The directory gets a packed
model, quantized as --quantize says, and the latent weights, which a training can begin
with. docs/interop.md has names, and what was compared.`,
		Example: `  qat import --from edifice weights.safetensors --quantize ternary --num-heads 4 -o imported
  qat import --from torch model.safetensors --num-heads 8 -o imported
  qat import --from torch model.safetensors --mapping names.json --classes walk,run --quantize ternary
  qat train --data mine.csv --label activity --init imported --hidden-size 256 --num-layers 4`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%d files, want one, as in: qat import --from torch model.safetensors", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = args[0]
			if err := o.judge(cmd); err != nil {
				return err
			}
			return work(runImport(o, newConsole(cmd)))
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.from, "from", "", "edifice or torch")
	f.StringVarP(&o.dir, "output", "o", "imported", "directory for "+modelFile+" and "+latentsFile)
	f.Var(&weightModes{model: m}, "quantize", "float, binary, ternary, int4 or int8; of some layers another, as in qat train; default: ternary with edifice, float with torch")
	f.Lookup("quantize").DefValue = ""
	f.IntVar(&m.NumHeads, "num-heads", m.NumHeads, "number of attention heads; divides the hidden size")
	f.IntVar(&m.WindowSize, "window-size", m.WindowSize, "most steps of a sequence; learned positions say it too")
	f.StringVar(&o.mapping, "mapping", "", "file with the names of a PyTorch model's parameters")
	f.StringSliceVar(&o.classes, "classes", nil, "names of the head's outputs, in order; default: their numbers")
	f.Var(textValue{&m.Positions, "name"}, "positions", "none or rotary; where there are learned ones, learned")
	f.Var(textValue{&m.Pooling, "name"}, "pooling", "last, mean or all")
	f.Var(textValue{&m.Granularity, "name"}, "granularity", "a scale for each weight (tensor) or for each of its outputs (channel)")
	f.Var(textValue{&m.Activations, "name"}, "activations", "inputs of quantized layers: int8 or float")
	f.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	completeValues(cmd, map[string][]string{
		"from": {fromEdifice, fromTorch}, "quantize": {"float", "binary", "ternary", "int4", "int8"},
		"positions": {"none", "rotary"}, "pooling": {"last", "mean", "all"}, "granularity": {"tensor", "channel"}, "activations": {"int8", "float"},
	}, map[string][]string{"mapping": {"json"}}, "output")
	return cmd
}

func (o *importOptions) judge(cmd *cobra.Command) error {
	given := cmd.Flags().Changed
	var errs []error
	if o.from != fromEdifice && o.from != fromTorch {
		errs = append(errs, fmt.Errorf("--from %q: want edifice or torch", o.from))
	}
	for _, name := range torchFlags {
		if o.from == fromEdifice && given(name) {
			errs = append(errs, fmt.Errorf("--%s has no use with --from edifice", name))
		}
	}
	if o.dir == "" {
		errs = append(errs, errors.New("--output is empty: name a directory"))
	}
	if o.from == fromTorch && !given("quantize") {
		o.model.Quantize = qat.Float
	}
	if !given("activations") && o.model.IsFloat() {
		o.model.Activations = qat.FloatActivations
	}
	if given("window-size") {
		o.window = o.model.WindowSize
	}
	return errors.Join(errs...)
}

// read makes the model.
func (o *importOptions) read() (*interop.Model, error) {
	mapping := torch.Default()
	if o.mapping != "" {
		text, err := os.ReadFile(o.mapping)
		if err != nil {
			return nil, fmt.Errorf("--mapping: %w", err)
		}
		if mapping, err = torch.ParseMapping(text); err != nil {
			return nil, fmt.Errorf("--mapping %s: %w", o.mapping, err)
		}
	}
	f, err := checkpoint.Read(o.file)
	if err != nil {
		return nil, unprefixed(err)
	}
	var m *interop.Model
	if o.from == fromEdifice {
		m, err = edifice.Import(f.Tensors, o.model)
	} else {
		m, err = torch.Import(f.Tensors, o.model, mapping, o.classes)
	}
	if err == nil && o.window != 0 && o.window != m.Spec.WindowSize {
		err = fmt.Errorf("--window-size %d: the model has positions for %d steps", o.window, m.Spec.WindowSize)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.file, err)
	}
	return m, nil
}

// imported is what an import made, and the line of --json.
type imported struct {
	Event   string     `json:"event"`
	From    string     `json:"from"`
	Spec    spec.Model `json:"spec"`
	Classes []string   `json:"classes,omitempty"`
	Latents string     `json:"latents"`
	shipped
}

func runImport(o importOptions, c *console) error {
	m, err := o.read()
	if err != nil {
		return err
	}
	p, err := m.Pack()
	if err != nil {
		return err
	}
	made := imported{
		"import", o.from, m.Spec, m.Classes, filepath.Join(o.dir, latentsFile),
		shipped{File: filepath.Join(o.dir, modelFile), Unchecked: "it comes from another program"},
	}
	if f, err := checkpoint.Read(made.Latents); err == nil && !interop.Imported(f) {
		return fmt.Errorf("%s holds a run: name another directory with -o", o.dir)
	}
	if err := writable(o.dir); err != nil {
		return err
	}
	if err := m.Write(made.Latents); err != nil {
		return unprefixed(err)
	}
	if made.modelSize, err = sizeOf(p); err != nil {
		return err
	}
	if err := p.Write(made.File); err != nil {
		return unprefixed(err)
	}
	if o.asJSON {
		writeJSON(c, made)
		return nil
	}
	s := m.Spec
	lines := [][2]string{
		{"model", s.String()},
		{"parameters", fmt.Sprintf("%d, each from a tensor of the file and none left over", made.Parameters)},
	}
	if m.Classes != nil {
		names := strings.Join(m.Classes, ", ")
		if o.classes == nil {
			names = fmt.Sprintf("%d, by number: --classes names them", len(m.Classes))
		}
		lines = append(lines, [2]string{"classes", names})
	}
	writeLines(c, append(lines,
		[2]string{"packed model", made.File + ": " + made.modelSize.String()},
		[2]string{"latents", made.Latents},
		[2]string{"train on", fmt.Sprintf("qat train --init %s --quantize %s --numerics %v --positions %v --pooling %v --granularity %v --hidden-size %d --num-layers %d --num-heads %d --data ...",
			shellQuote(o.dir), s.WeightModes(), s.Numerics, s.Positions, s.Pooling, s.Granularity, s.HiddenSize, s.NumLayers, s.NumHeads)}))
	return nil
}

// startFromImport begins a training with an imported model. A head for other classes
// stays behind.
func startFromImport(t *train.Trainer, f checkpoint.File, c *console) error {
	m, err := interop.FromFile(f)
	if err != nil {
		return err
	}
	own := t.Spec()
	for _, d := range []struct {
		flag       string
		ours, file any
	}{
		{"num-heads", own.NumHeads, m.Spec.NumHeads}, {"numerics", own.Numerics, m.Spec.Numerics}, {"positions", own.Positions, m.Spec.Positions},
	} {
		if d.ours != d.file {
			return fmt.Errorf("the import has --%s %v, this training %v", d.flag, d.file, d.ours)
		}
	}
	params := m.Params
	if m.Classes != nil && !slices.Equal(m.Classes, t.Task().Classes) {
		c.log.Warn("the head begins afresh: the import has other classes", "import", m.Classes, "data", t.Task().Classes)
		params = params[:len(params)-2]
	}
	return t.StartFromParams(params)
}
