package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/train"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDistanceOf(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"epoch", "epochs", 1}, {"sede", "seed", 2}, {"kitten", "sitting", 3}} {
		assert.Equal(t, c.want, distanceOf(c.a, c.b), "%s %s", c.a, c.b)
		assert.Equal(t, c.want, distanceOf(c.b, c.a), "%s %s", c.b, c.a)
	}
}

// TestUsage has command lines that are wrong: each is told what was meant and which
// help to read.
func TestUsage(t *testing.T) {
	series, rec := write(t, "a.ts", waves(20, 1)), write(t, "a.csv", recording(3))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"trian"}, `unknown command "trian" for "qat": did you mean train?`},
		{[]string{"zzz"}, "unknown command \"zzz\" for \"qat\"\nRun 'qat --help'"},
		{[]string{"help", "evil"}, `no help for "evil": it is no command: did you mean eval?`},
		{[]string{"completion", "tcsh"}, `unknown command "tcsh" for "qat completion"`},
		{[]string{"train", "--epoch", "3"}, "unknown flag: --epoch: did you mean --epochs?\nRun 'qat train --help'"},
		{[]string{"train", "--layers", "3"}, "did you mean --num-layers?"},
		{[]string{"train", "--e"}, "unknown flag: --e\n"},
		{[]string{"train", "--zzz"}, "unknown flag: --zzz\n"},
		{[]string{"train", "-z"}, "unknown shorthand flag: 'z' in -z\n"},
		{[]string{"train", "digits"}, `unexpected argument "digits": qat train takes flags alone`},
		{[]string{"eval", "a", "b"}, "2 directories, want that of one run, as in: qat eval qat-run"},
		{[]string{"train", "--data", ""}, "--data is empty"},
		{[]string{"train", "--data", series, "--test", "none.ts"}, "--test none.ts: no such file\n"},
		{[]string{"train", "--data", filepath.Dir(series)}, "is a directory, want files"},
		{[]string{"train", "--data", series, "--label", "y", "--stride", "2"}, "--label, --stride: of no use for data in the format ts"},
		{[]string{"train", "--data", series, "--test", rec}, "want ts as the training files are"},
		{[]string{"train", "--data", rec, "--label", "activity", "--stride", "2"}, "--stride: of no use for a file with a series a row; for a recording, with a time step a row, name a --window"},
		{[]string{"train", "--data", rec, "--window", "17", "--task", "classes"}, "--task: of no use"},
		{[]string{"train", "--data", rec, "--label", "activity", "--window", "-3"}, "--window -3: want 0 or more"},
		{[]string{"train", "--data", rec, "--label", "activity", "--window", "17", "--label-rule", "most"}, `label rule "most", want last or majority`},
		{[]string{"train", "--data", rec, "--label", "activity", "--window", "17", "--horizon", "2"}, "a horizon of 2 steps without a target column"},
		{[]string{"train", "--label-rule", "majority"}, "--label-rule: for files, and the data is the embedded digits"},
	} {
		t.Run(strings.Join(c.args, "_"), func(t *testing.T) {
			status, out, errs := command(c.args...)
			assert.Equal(t, statusUsage, status)
			assert.Contains(t, errs, c.want)
			assert.Contains(t, errs, "\nRun 'qat ")
			assert.Empty(t, out)
		})
	}
}

// TestRemedy says by which flags to mend what the library refuses.
func TestRemedy(t *testing.T) {
	rec := write(t, "a.csv", recording(3))
	for _, c := range []struct{ args, want string }{
		{"--label activity --window 17 --stride 5", "windows overlap|Try --group with the column of a subject or session, --split time,"},
		{"--label activity --window 17 --split group", "no series has a group|Try --group "},
		{"--window 17", "neither classes nor targets|Try --label with the column of a class, or --target"},
		{"--label y --group session --window 1", "the classes are numbers|Try --target with that column"},
		{"--label sport --window 17", `no label column "sport": the columns are session, x, y, activity|`},
	} {
		status, _, errs := command(append([]string{"train", "-o", t.TempDir(), "--data", rec}, strings.Fields(c.args)...)...)
		assert.Equal(t, statusFailed, status, c.args)
		for part := range strings.SplitSeq(c.want, "|") {
			assert.Contains(t, errs, part, c.args)
		}
	}
}

// TestRowIsSeries has a recording that is not said to be one.
func TestRowIsSeries(t *testing.T) {
	path := write(t, "mine.csv", "session,x,activity\np01,1,a\np01,2,b\n")
	for _, args := range [][]string{{"datasets", path}, {"train", "--data", path}, {"compare", "--data", path}} {
		status, _, errs := command(args...)
		assert.Equal(t, statusFailed, status)
		assert.Contains(t, errs, `saw "p01", want a number (each row is a series)`)
		assert.Contains(t, errs, "Try --window")
	}
}

func TestVersion(t *testing.T) {
	status, out, _ := command("--version")
	assert.Equal(t, statusOK, status)
	assert.Regexp(t, `^qat version \S+\n$`, out)
}

// TestCompletion asks what the shell asks, and runs the script in a shell.
func TestCompletion(t *testing.T) {
	for _, c := range []struct{ typed, want string }{
		{"tr", "train\t"},
		{"train --qu", "--quantize\t"},
		{"train --quantize ", "ternary\n"},
		{"train --data x --split ", "group\n"},
		{"train --config ", "json\n:8\n"}, // files of that name
		{"train --resume ", ":16\n"},      // directories
		{"compare --schedule ", "cosine\n"},
		{"datasets --pooling ", "mean\n"},
		{"eval ", "qat\n:8\n"}, // models, and directories on the way
		{"predict ", "qat\n:8\n"},
		{"inspect ", "qat\n:8\n"},
		{"export ", ":16\n"},
		{"predict m --input ", "npy\n"},
		{"predict m --output ", "csv\nnpy\n:8\n"},
		{"eval m --label-rule ", "majority\n"},
	} {
		words := strings.Split(c.typed, " ")
		status, out, _ := command(append([]string{"__complete"}, words...)...)
		assert.Equal(t, statusOK, status, c.typed)
		assert.Contains(t, out, c.want, c.typed)
	}
	status, script, _ := command("completion", "bash")
	require.Equal(t, statusOK, status)
	require.Contains(t, script, "__start_qat")
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	check := exec.Command(bash, "-n")
	check.Stdin = strings.NewReader(script)
	check.Stderr = io.Discard
	assert.NoError(t, check.Run())
}

// TestConfigFiles has a config.json that somebody wrote: what it leaves out is the
// default, and what is wrong with it is said with its place.
func TestConfigFiles(t *testing.T) {
	config := func(text string) string { return write(t, "c.json", text) }
	dir := t.TempDir()
	partial := config(`{"config": {"epochs": 1, "batch_size": 512, "model": {"hidden_size": 16, "num_heads": 2, "num_layers": 1}}}`)
	status, _, errs := command("train", "--config", partial, "-o", dir, "--num-heads", "4")
	require.Equal(t, statusOK, status, errs)
	c, err := readRunConfig(filepath.Join(dir, configFile))
	require.NoError(t, err)
	digits, err := dataset.Digits()
	require.NoError(t, err)
	defaults := train.Recipe(digits.Facts())
	assert.Equal(t, []int{1, 512, 16, 4, 1}, []int{c.Config.Epochs, c.Config.BatchSize, c.Config.Model.HiddenSize, c.Config.Model.NumHeads, c.Config.Model.NumLayers}, "flags over the file")
	assert.Equal(t, defaults.LearnRate, c.Config.LearnRate, "and the file over defaults")
	assert.Equal(t, defaults.Model.Positions, c.Config.Model.Positions)

	// Other data in place of the file's own: its test file is not that data's.
	series, other := write(t, "a.ts", waves(20, 1)), write(t, "b.ts", waves(30, 2))
	own := t.TempDir()
	status, _, errs = command(append([]string{"train", "-o", own, "--data", series, "--test", other}, quick...)...)
	require.Equal(t, statusOK, status, errs)
	status, out, errs := command("train", "-o", t.TempDir(), "--config", filepath.Join(own, configFile), "--data", other)
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "b, split by series: 24 to train on, 6 to test on")

	for _, c := range []struct{ text, want string }{
		{"", ": saw an empty file, want a JSON object"},
		{"{\n  \"config\": {\"epoch\": 3}\n}", `: line 2, column 14: there is no setting "epoch"`},
		{"{\n  \"config\": {\n  \"epochs\": \"3\"}}", `: line 3, column 15: config.epochs: saw a string, want int`},
		{"{\n  \"config\": {,\n", `: line 2, column 14: invalid character ','`},
		{"{} {}", ": line 1, column 2: saw more after the end, want one object"},
		{"7", ": line 1, column 1: saw a number, want an object"},
	} {
		path := config(c.text)
		status, _, errs := command("train", "--config", path, "-o", t.TempDir())
		assert.Equal(t, statusUsage, status, c.text)
		assert.Contains(t, errs, "--config: "+path+c.want, c.text)
	}
	_, err = os.Stat(filepath.Join(own, latentsFile))
	assert.NoError(t, err)
}
