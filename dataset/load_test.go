package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rowsFile is a CSV file in a folder of its own.
func rowsFile(t *testing.T, name string, rows ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(rows, "\n")+"\n"), 0o666))
	return path
}

// sessions are the rows of a recording: 5 sessions of 40 steps, of which every tenth
// lacks a value.
func sessions() []string {
	rows := []string{"session,x,y,class"}
	for i := range 5 * 40 {
		y := fmt.Sprintf("%d.5", i)
		if i%10 == 7 {
			y = ""
		}
		rows = append(rows, fmt.Sprintf("s%d,%d,%s,%c", i/40, i%7, y, 'a'+i/10%2))
	}
	return rows
}

func recordingSource(path string) Source {
	return Source{Files: []string{path}, Split: SplitAuto, TestFraction: 0.2, Recording: RecordingOptions{Label: "class", Group: "session", Window: 10}}
}

// TestSourceNotes says what was decided, once each.
func TestSourceNotes(t *testing.T) {
	s := recordingSource(rowsFile(t, "a.csv", sessions()...))
	parts, err := s.Load()
	require.NoError(t, err)
	assert.Equal(t, SplitByGroup, parts.Split)
	notes := strings.Join(parts.Notes, "\n")
	assert.Regexp(t, `the test part is 1 of 5 groups: s\d`, notes)
	assert.Contains(t, notes, "5% of the values of a.csv are missing: each is filled by the last of its channel before it")

	s.Memory = 100 // read for each epoch, and the same is said
	streamed, err := s.Load()
	require.NoError(t, err)
	require.IsType(t, &Streamed{}, streamed.Train)
	assert.Subset(t, streamed.Notes, parts.Notes)

	s.Memory, s.Test = 0, []string{rowsFile(t, "b.csv", people("other ")...)}
	parts, err = s.Load()
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(strings.Join(parts.Notes, "\n"), "the channels are x, y"), "of both files")

	s = Source{Files: []string{wideFile(t, 30)}, Split: SplitAuto, TestFraction: 0.2}
	parts, err = s.Load()
	require.NoError(t, err)
	assert.Equal(t, SplitBySeries, parts.Split)
	assert.Contains(t, parts.Notes, "each row is a series of 3 steps; rows that are time steps of a recording want a window")
	assert.NotContains(t, strings.Join(parts.Notes, "\n"), "missing")
	assert.NotContains(t, strings.Join(parts.Notes, "\n"), "frames")

	s = Source{Files: []string{rowsFile(t, "gaps.ts", "@problemName A", "@univariate true", "@missing true", "@classLabel true p q", "@data", "1,2,3,4:p", "?,?,?,?:q", "?,2,3,4:q", "?,?,?,?:p")}, Split: SplitAuto, TestFraction: 0.5, Prepare: PreprocessOptions{Frame: 1, Hop: 3}}
	parts, err = s.Load()
	require.NoError(t, err)
	assert.Contains(t, parts.Notes, "2 of 4 series have no value at all, the first at "+s.Files[0]+":7: the model reads a constant there; leave them out")
	assert.Contains(t, parts.Notes, "frames of 1 step, one every 3: the 2 between are read by none")
}

// TestSourceMissing: values may be missing of what a run reads if any were of its data,
// be it of the test files alone.
func TestSourceMissing(t *testing.T) {
	whole, gappy := wideFile(t, 30), rowsFile(t, "gap.csv", "1,2,3,up", "1,?,3,down", "4,5,6,up", "1,2,2,down")
	s := Source{Files: []string{whole}, Split: SplitAuto, TestFraction: 0.2}
	for _, test := range []string{"", wideFile(t, 20), gappy} {
		if s.Test = nil; test != "" {
			s.Test = []string{test}
		}
		parts, err := s.Load()
		require.NoError(t, err)
		assert.Equal(t, test == gappy, parts.Preprocess.Missing, test)
		assert.Equal(t, 3, parts.Preprocess.Shortest)
		assert.Equal(t, 3, parts.Preprocess.Longest)
	}
}

func TestSourceRefuses(t *testing.T) {
	path := rowsFile(t, "a.csv", sessions()...)
	one := rowsFile(t, "one.csv", "x,class", "1.5,a", "2,a", "3,a")
	classes := rowsFile(t, "a.ts", "@problemName A", "@univariate true", "@classLabel true a b", "@data", "1,2:a", "2,3:b")
	targets := rowsFile(t, "b.ts", "@problemName A", "@univariate true", "@targetLabel true", "@data", "1,2:0.5", "2,3:1.5")
	few := rowsFile(t, "few.csv", "x,class", "1.5,1.5", "2,2.5", "3,2.5", "4,1.5", "5,1.5", "6,2.5")
	with := func(change func(*Source)) Source {
		s := recordingSource(path)
		change(&s)
		return s
	}
	for _, c := range []struct {
		name   string
		source Source
		is     error
		want   string
	}{
		{"overlap", with(func(s *Source) { s.Recording.Group, s.Recording.Stride = "", 3 }), ErrOverlap, "stride 3 is less than window 10"},
		{"no_groups", with(func(s *Source) { s.Recording.Group, s.Split = "", string(SplitByGroup) }), ErrNoGroups, "name the group column"},
		{"nothing", with(func(s *Source) { s.Recording.Label = "" }), ErrNothingToLearn, "name the column of one"},
		{"numbers", with(func(s *Source) { s.Recording.Label, s.Recording.Window = "y", 2 }), ErrNumbers, "different ones such as 1.5 in "},
		{"one_class", Source{Files: []string{one}, Split: SplitAuto, TestFraction: 0.3}, nil, "one.csv: the only class is a, want 2 or more"},
		{"classes_or_targets", with(func(s *Source) { s.Recording.Targets = []string{"y"} }), nil, `a label column "class" beside target columns`},
		{"label_rule", with(func(s *Source) { s.Recording.LabelRule = "most" }), nil, `label rule "most", want last or majority`},
		{"other_format", with(func(s *Source) { s.Test = []string{"b.ts"} }), nil, "test file b.ts: want recording as the training files are"},
		{"other_task", Source{Files: []string{classes}, Test: []string{targets}, Split: SplitAuto}, nil, "b.ts: saw 1 target, want classes as the training data has"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.source.Load()
			require.ErrorContains(t, err, c.want)
			if c.is != nil {
				assert.ErrorIs(t, err, c.is)
			}
		})
	}
	_, err := Source{Files: []string{few}, Split: SplitAuto, TestFraction: 0.3}.Load()
	assert.NoError(t, err, "a few numbers may be classes")
}
