package train

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/dataset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var toySource = dataset.Source{Name: "digits", Split: dataset.SplitGiven}

// loadToy stands in for a source's Load.
func loadToy(dataset.Source) (dataset.Parts, error) {
	return dataset.Parts{Train: toySet(53, 1), Test: toySet(17, 2)}, nil
}

// loadToyValidated has a validation part too.
func loadToyValidated(s dataset.Source) (dataset.Parts, error) {
	p, err := loadToy(s)
	p.Validation = toySet(19, 4)
	return p, err
}

// throughFile writes a checkpoint and reads it back, as a resumed run does.
func throughFile(t *testing.T, f checkpoint.File) checkpoint.File {
	t.Helper()
	path := t.TempDir() + "/c.safetensors"
	require.NoError(t, checkpoint.Write(path, f))
	back, err := checkpoint.Read(path)
	require.NoError(t, err)
	return back
}

func TestResume(t *testing.T) {
	testResume(t, toyConfig(), loadToy)
	testResume(t, toyConfig(), loadToyValidated)
	testResume(t, mixedConfig(), loadToy)
}

func testResume(t *testing.T, c Config, load func(dataset.Source) (dataset.Parts, error)) {
	c.Augment = Augment{Jitter: 0.1, Scale: 0.1, Shift: 0.2}
	parts, err := load(toySource)
	require.NoError(t, err)
	fresh := func() *Trainer {
		tr, err := New(c, parts.Train, parts.Validation)
		require.NoError(t, err)
		return tr
	}
	whole := fresh()
	finish(t, whole)
	// 5 steps an epoch: before the first, within an epoch, before the smaller last
	// batch, at an epoch's end, before the last, after the last.
	for _, stops := range [][]int{{0}, {1}, {4}, {5}, {14}, {15}, {2, 3, 9, 13}} {
		tr := fresh()
		for _, stop := range stops {
			for range stop - tr.Step() {
				for _, err := range tr.Steps(context.Background()) {
					require.NoError(t, err)
					break
				}
			}
			f, err := tr.Checkpoint(toySource)
			require.NoError(t, err)
			var source dataset.Source
			tr, source, err = resume(throughFile(t, f), load)
			require.NoError(t, err, "after %v", stops)
			assert.Equal(t, toySource, source)
			require.Equal(t, stop, tr.Step())
		}
		finish(t, tr)
		assert.Equal(t, latents(t, whole.Model), latents(t, tr.Model), "stopped at %v", stops)
		assert.Equal(t, whole.History(), tr.History(), "stopped at %v", stops)
		assert.Equal(t, whole.opt.State(), tr.opt.State(), "stopped at %v", stops)
		assert.Equal(t, whole.BestEpoch(), tr.BestEpoch(), "stopped at %v", stops)
	}
}

func TestResumeFaults(t *testing.T) {
	tr := trainerOf(t, toyConfig(), toySet(53, 1))
	for _, err := range tr.Steps(context.Background()) {
		require.NoError(t, err)
		break
	}
	drop := func(prefix string) func(*checkpoint.File) {
		return func(f *checkpoint.File) {
			for i, x := range f.Tensors {
				if strings.HasPrefix(x.Name, prefix) {
					f.Tensors = append(f.Tensors[:i:i], f.Tensors[i+1:]...)
					return
				}
			}
		}
	}
	otherData := func(dataset.Source) (dataset.Parts, error) { return dataset.Parts{Train: toySet(53, 3)}, nil }
	for _, c := range []struct {
		name, want string
		damage     func(*checkpoint.File)
		load       func(dataset.Source) (dataset.Parts, error)
	}{
		{"format", "not a checkpoint", func(f *checkpoint.File) { f.Metadata["format"] = "qat.latents" }, loadToy},
		{"version", `version is "9"`, func(f *checkpoint.File) { f.Metadata["version"] = "9" }, loadToy},
		{"json", `metadata "progress"`, func(f *checkpoint.File) { f.Metadata["progress"] = "[" }, loadToy},
		{"latent", "tensor head.weight is missing", drop("head.weight"), loadToy},
		{"first moment", "head.weight: 0 first and 48 second moments", drop("adamw.m.head.weight"), loadToy},
		{"second moment", "head.weight: 48 first and 0 second moments", drop("adamw.v.head.weight"), loadToy},
		{"step", "step 16 of 15", func(f *checkpoint.File) {
			f.Metadata["progress"] = strings.Replace(f.Metadata["progress"], `"step":1,`, `"step":16,`, 1)
		}, loadToy},
		{"data", "the data is not what the run was begun with: digits: the training part has as many sequences as it had, 53, of other values", func(*checkpoint.File) {}, otherData},
		{"more data", "the training part has 54 sequences, and had 53", func(*checkpoint.File) {}, func(dataset.Source) (dataset.Parts, error) {
			return dataset.Parts{Train: toySet(54, 1)}, nil
		}},
		{"another part", "it makes 2 parts, and made 1", func(*checkpoint.File) {}, loadToyValidated},
		{"no data", "the data is not what the run was begun with: gone", func(*checkpoint.File) {}, func(dataset.Source) (dataset.Parts, error) {
			return dataset.Parts{}, errors.New("gone")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := tr.Checkpoint(toySource)
			require.NoError(t, err)
			c.damage(&f)
			_, _, err = resume(f, c.load)
			assert.ErrorContains(t, err, c.want)
			assert.Equal(t, strings.Contains(c.name, "data") || c.name == "another part", errors.Is(err, ErrData))
		})
	}
}
