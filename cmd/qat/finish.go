package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/qat-go/qat/train"
)

// finish measures a trained model, writes what a run ends with, and removes the
// checkpoints, which were for the way here. Ctrl-C on the way ends the process: the
// last checkpoint is that of the end of the training, from which all this is made again.
func (o *trainOptions) finish(f *finished, say reporter) (err error) {
	say.now("the test part")
	if f.metrics, err = f.Evaluate(f.parts.Test); err != nil {
		return err
	}
	saved := train.Saved{Config: f.Config(), Data: o.source, Preprocess: f.parts.Preprocess}
	if err := f.Save(filepath.Join(o.dir, latentsFile), saved); err != nil {
		return err
	}
	say.now("the packed model, held to the trained one on the test part")
	if err := o.ship(f); err != nil {
		return err
	}
	if err := drawCurve(filepath.Join(o.dir, curveFile), f.History(), f.BestEpoch(), f.metrics); err != nil {
		return err
	}
	f.baselines = baselines(f.parts.Train, f.parts.Test, say.now)
	if err := f.writePage(o.dir); err != nil {
		return err
	}
	return os.RemoveAll(o.checkpoints().Path)
}

// ship writes the packed model. One of a run before is not left beside latents that it
// is not of.
func (o *trainOptions) ship(f *finished) (err error) {
	path := filepath.Join(o.dir, modelFile)
	f.shipped, err = ship(path, f.Model, f.parts.Preprocess, f.parts.Test, "")
	if err == nil {
		return nil
	}
	if stale := os.Remove(path); stale != nil && !errors.Is(stale, os.ErrNotExist) {
		err = errors.Join(err, stale)
	}
	if errors.Is(err, train.ErrParity) {
		err = fmt.Errorf("%w; there is no %s, but the latent weights are saved: %s", err, modelFile, filepath.Join(o.dir, latentsFile))
		return errors.Join(err, os.RemoveAll(o.checkpoints().Path)) // to go on would end here again
	}
	return err
}
