package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/spec"
	"github.com/qat-go/qat/train"
	"github.com/spf13/pflag"
)

// setting is a flag as it was given.
type setting struct {
	name, text string
	list       []string // of a flag with a list
}

// settings are the flags that were given.
func settings(f *pflag.FlagSet) (all []setting) {
	f.Visit(func(f *pflag.Flag) {
		s := setting{name: f.Name, text: f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			s.list = list.GetSlice()
		}
		all = append(all, s)
	})
	return all
}

// replay sets what was given again, over what r has by now.
func (r *recipe) replay() error {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	r.register(f)
	var errs []error
	for _, s := range r.given {
		flag := f.Lookup(s.name)
		if flag == nil {
			continue // not of a recipe
		}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			errs = append(errs, list.Replace(s.list))
		} else {
			errs = append(errs, f.Set(s.name, s.text))
		}
	}
	return errors.Join(errs...)
}

// was says whether a flag was given.
func (r *recipe) was(names ...string) bool {
	return slices.ContainsFunc(r.given, func(s setting) bool { return slices.Contains(names, s.name) })
}

// settle takes what the data's shape decides for all that was not given. The config
// file of a run has decided it before.
func (r *recipe) settle(data dataset.Data) error {
	if r.file != "" && r.over == nil {
		return nil
	}
	mode := r.config.Model.Quantize
	r.config = train.Recipe(data.Facts())
	if r.over != nil {
		if err := r.over(&r.config); err != nil {
			return err
		}
	}
	if err := r.replay(); err != nil {
		return err
	}
	m := &r.config.Model
	m.EmbedDim, m.WindowSize = 0, 0 // the data's
	if !r.one {
		m.Quantize, m.LayerModes = mode, nil
	}
	r.implyActivations()
	return errors.Join(r.config.Validate(), r.judgeInit())
}

// implyActivations takes float activations where the numerics or the weights leave
// no choice.
func (r *recipe) implyActivations() {
	m := &r.config.Model
	if !r.was("activations") && (m.Numerics == spec.Edifice || m.IsFloat()) {
		m.Activations = spec.FloatActivations
	}
}

// load begins from a config file, with the flags that were given over it.
func (r *recipe) load() error {
	b, err := os.ReadFile(r.file)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	c := runConfig{Config: r.config, Data: r.source}
	partial, err := c.read(b)
	if err != nil {
		return fmt.Errorf("--config: %s%w", r.file, err)
	}
	if partial {
		r.over = func(to *train.Config) error {
			c := runConfig{Config: *to}
			_, err := c.read(b)
			*to = c.Config
			return err
		}
	}
	if c.Data.Name == "" && len(c.Data.Files) == 0 {
		c.Data.Name = dataset.Sources()[0]
	}
	r.config, r.source, r.data = c.Config, c.Data, dataFlagsOf(c.Data)
	m := &r.config.Model // of other data than that it was made for
	m.EmbedDim, m.WindowSize = 0, 0
	if !r.one {
		m.LayerModes = nil // a comparison's modes are for every layer
	}
	if err := r.replay(); err != nil {
		return err
	}
	if r.was("data") && !r.was("test") {
		r.data.test = nil // that of the file's own data
	}
	if len(r.data.test) == 0 && r.source.TestFraction == 0 {
		r.source.TestFraction = testFraction
	}
	return nil
}
