package dataset

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// shown is a series as label|targets|group|values.
func shown(one Series) string {
	return fmt.Sprintf("%s|%s|%s|%s", one.Label, text(one.Targets), one.Group, text(one.Values))
}

func shownAll(c *Collection) string {
	var out []string
	for _, one := range c.Series {
		out = append(out, shown(one))
	}
	return strings.Join(out, ";")
}

func TestReadRecording(t *testing.T) {
	const two = "x,k,who\n1,a,p\n2,a,p\n3,b,p\n4,b,p\n5,b,q\n6,,q\n7,c,q\n"
	for _, tc := range []struct {
		name, text string
		options    RecordingOptions
		want       string
	}{
		{"plain", "x\n1\n2\n3\n4\n5\n", RecordingOptions{Window: 2}, "|||1 2;|||3 4"},
		{"stride", "x\n1\n2\n3\n4\n5\n", RecordingOptions{Window: 3, Stride: 1}, "|||1 2 3;|||2 3 4;|||3 4 5"},
		{"stride_above", "x\n1\n2\n3\n4\n5\n6\n", RecordingOptions{Window: 2, Stride: 3}, "|||1 2;|||4 5"},
		{"last", two, RecordingOptions{Label: "k", Window: 3, Stride: 1}, "b|||1 2 3;b|||2 3 4;b|||3 4 5;c|||5 6 7"},
		{"group", two, RecordingOptions{Label: "k", Group: "who", Window: 3, Stride: 1}, "b||p|1 2 3;b||p|2 3 4;c||q|5 6 7"},
		{"majority", two, RecordingOptions{Label: "k", Group: "who", Window: 3, Stride: 1, LabelRule: LabelMajority},
			"a||p|1 2 3;b||p|2 3 4;c||q|5 6 7"},
		{"horizon", "x,y\n1,10\n2,20\n3,30\n4,\n5,50\n", RecordingOptions{Channels: []string{"x"}, Targets: []string{"y"}, Window: 2, Stride: 1, Horizon: 1},
			"|30||1 2;|50||3 4"},
		{"own_past", "y\n1\n2\n3\n4\n", RecordingOptions{Targets: []string{"y"}, Window: 2, Stride: 1, Horizon: 2}, "|4||1 2"},
		{"same_step", "x,y\n1,10\n2,20\n", RecordingOptions{Targets: []string{"y"}, Window: 2}, "|20||1 2"},
		{"order", "x,y\n1,10\n2,20\n", RecordingOptions{Channels: []string{"y", "x"}, Window: 2}, "|||10 1 20 2"},
		{"numbers", "1,10\n2,20\n", RecordingOptions{Channels: []string{"-1"}, Window: 2}, "|||10 20"},
		{"missing", "x\n1\n?\n3\n4\n", RecordingOptions{Window: 2}, "|||1 ?;|||3 4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := ReadRecording([]Input{Bytes("r.csv", []byte(tc.text))}, tc.options)
			assert.Equal(t, tc.want, shownAll(collected(t, s, err)))
		})
	}
}

func TestReadRecording_columns(t *testing.T) {
	s, err := ReadRecording(Files("testdata/session1.csv", "testdata/session2.csv"),
		RecordingOptions{Label: "activity", Window: 4, Stride: 2})
	c := collected(t, s, err)
	assert.Equal(t, []string{"acc_x", "acc_y"}, c.Channels)
	assert.Equal(t, []string{"rest", "walk"}, c.Classes)
	notes := strings.Join(c.Notes, "\n")
	assert.Contains(t, notes, `column "time" is no channel: it counts`)
	assert.Contains(t, notes, `column "comment" is no channel: most of its first cells are no numbers`)
	assert.Contains(t, notes, `column "spare" is no channel: it is empty`)
	assert.Contains(t, notes, "each file is a group")
	require.Len(t, c.Series, 6)
	assert.Equal(t, "session1.csv", c.Series[0].Group)
	assert.Equal(t, "session2.csv", c.Series[5].Group)
	assert.Equal(t, "testdata/session2.csv:2", c.Series[4].Where)
	assert.Equal(t, "0.1 4 0.2 3 0.3 2 0.4 1", text(c.Series[4].Values), "its columns stand in another order")
	assert.Equal(t, "rest", c.Series[4].Label)
	assert.Equal(t, "session1.csv and 1 more", c.Name)
}

func TestReadRecording_skipped(t *testing.T) {
	s, err := ReadRecording([]Input{Bytes("r.csv", []byte("x,k,g\n1,a,1\n2,,1\n3,,1\n4,b,1\n5,b,2\n6,b,3\n7,b,3\n"))},
		RecordingOptions{Label: "k", Group: "g", Window: 2})
	c := collected(t, s, err)
	assert.Equal(t, "b||1|3 4;b||3|6 7", shownAll(c))
	assert.Equal(t, Skipped{Unlabelled: 1, Short: 1}, c.Skipped)
	assert.Equal(t, []int{0, 2}, []int{c.Series[0].Segment, c.Series[1].Segment})
}

// TestReadRecording_returns counts groups that come back, which those of another file
// do not.
func TestReadRecording_returns(t *testing.T) {
	const rows = "x,g\n1,p\n2,p\n3,q\n4,q\n5,p\n6,p\n7,q\n"
	s, err := ReadRecording([]Input{Bytes("a.csv", []byte(rows)), Bytes("b.csv", []byte("x,g\n1,p\n2,p\n"))}, RecordingOptions{Group: "g", Window: 2})
	c := collected(t, s, err)
	assert.Equal(t, Skipped{Short: 1, Returns: 2}, c.Skipped)
	assert.Contains(t, skippedNotes(c.Skipped), "a group comes back after another 2 times, which no window crosses: rows of several at a time want to be sorted by group, then by time")
	s, err = ReadRecording([]Input{Bytes("a.csv", []byte("x,g\n1,p\n2,p\n3,q\n4,q\n"))}, RecordingOptions{Group: "g", Window: 2})
	assert.Equal(t, Skipped{}, collected(t, s, err).Skipped)
}

func TestReadRecording_errors(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		options    RecordingOptions
		want       string
	}{
		{"window", "x\n1\n", RecordingOptions{}, "a window of 0 steps, want 1 to"},
		{"stride", "x\n1\n", RecordingOptions{Window: 1, Stride: -1}, "a stride of -1 steps"},
		{"rule", "x\n1\n", RecordingOptions{Window: 1, LabelRule: "first"}, `label rule "first", want last or majority`},
		{"horizon", "x\n1\n", RecordingOptions{Window: 1, Horizon: 2}, "a horizon of 2 steps without a target column"},
		{"rule_of_targets", "x,y\n1,2\n", RecordingOptions{Window: 1, Targets: []string{"y"}, LabelRule: LabelMajority}, `label rule "majority" with target columns`},
		{"interleaved", "x,g\n1,p\n2,q\n3,p\n4,q\n", RecordingOptions{Window: 2, Group: "g"}, "the longest unbroken run is 1 row, want window 2 + horizon 0; the rows of a group are not together: sort the file by group, then by time"},
		{"both", "x\n1\n", RecordingOptions{Window: 1, Label: "x", Targets: []string{"x"}}, "want one of them"},
		{"short", "x\n1\n2\n", RecordingOptions{Window: 3}, "r.csv: no window: the longest unbroken run is 2 rows, want window 3 + horizon 0"},
		{"unlabelled", "x,k\n1,\n2,\n", RecordingOptions{Window: 1, Label: "k"}, "no window: none of 2 has a label"},
		{"number", "x,k\n1,a\n2,a\nabc,a\n", RecordingOptions{Window: 1, Channels: []string{"x"}, Label: "k"}, `r.csv: line 4, column 1 ("x"): saw "abc", want a number`},
		{"group", "x,g\n1,p\n2,\n", RecordingOptions{Window: 1, Group: "g"}, `line 3, column 2 ("g"): saw "", want a group`},
		{"unknown", "x,k\n1,a\n", RecordingOptions{Window: 1, Label: "activity"}, `no label column "activity": the columns are x, k`},
		{"channel", "x,k\n1,a\n", RecordingOptions{Window: 1, Channels: []string{"x", "x"}}, `channel column "x" is named twice`},
		{"label_channel", "x,k\n1,2\n", RecordingOptions{Window: 1, Label: "k", Channels: []string{"k"}}, "is a channel and the label or group"},
		{"target_channel", "x,k\n1,2\n", RecordingOptions{Window: 1, Targets: []string{"k"}, Channels: []string{"k"}}, "is a channel and a target of the same step"},
		{"no_channel", "x,k\na,b\n", RecordingOptions{Window: 1}, "no column of numbers"},
		{"same_names", "x,x\n1,2\n", RecordingOptions{Window: 1}, `line 1, column 2: saw the name "x" again`},
		{"ragged", "x,k\n1,a\n1\n", RecordingOptions{Window: 1}, "line 3: saw 1 column, want 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.ErrorContains(t, readingFault(ReadRecording([]Input{Bytes("r.csv", []byte(tc.text))}, tc.options)), tc.want)
		})
	}
	_, err := ReadRecording(nil, RecordingOptions{Window: 1})
	require.ErrorContains(t, err, "want 1 file or more")
	err = readingFault(ReadRecording([]Input{Bytes("a.csv", []byte("x,y\n1,2\n")), Bytes("b.csv", []byte("x,z\n1,2\n"))}, RecordingOptions{Window: 1}))
	require.ErrorContains(t, err, `b.csv: no channel column "y": the columns are x, z`)
}

// TestReadRecording_windows compares with windows cut from the whole table.
func TestReadRecording_windows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.IntRange(0, 2), 1, 60).Draw(t, "labels")
		changes := rapid.SliceOfN(rapid.IntRange(0, 9), len(rows), len(rows)).Draw(t, "changes")
		o := RecordingOptions{
			Channels: []string{"x"}, Group: "g",
			Window:  rapid.IntRange(1, 11).Draw(t, "window"),
			Stride:  rapid.IntRange(1, 13).Draw(t, "stride"),
			Horizon: rapid.IntRange(0, 5).Draw(t, "horizon"),
			Targets: []string{"y"},
		}
		var b strings.Builder
		b.WriteString("x,g,y\n")
		groups := make([]int, len(rows))
		for i := range rows {
			if i > 0 {
				groups[i] = groups[i-1]
				if changes[i] == 0 {
					groups[i]++
				}
			}
			fmt.Fprintf(&b, "%d,g%d,%d\n", i, groups[i], 1000+i)
		}
		var want []string
		for start, first := 0, 0; start < len(rows); start++ {
			if groups[start] != groups[first] {
				first = start
			}
			last := start + o.Window - 1 + o.Horizon
			if (start-first)%o.Stride != 0 || last >= len(rows) || groups[last] != groups[start] {
				continue
			}
			var values []float32
			for i := range o.Window {
				values = append(values, float32(start+i))
			}
			want = append(want, fmt.Sprintf("|%d|g%d|%s", 1000+last, groups[start], text(values)))
		}
		s, err := ReadRecording([]Input{Bytes("r.csv", []byte(b.String()))}, o)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Collect(s)
		if len(want) == 0 {
			assert.ErrorContains(t, err, "no window")
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		assert.Equal(t, strings.Join(want, ";"), shownAll(c))
	})
}

func FuzzReadRecording(f *testing.F) {
	f.Add([]byte("x,k,g\n1,a,p\n2,a,p\n3,b,p\n"), "k", "g", 2, 1, 0)
	f.Add([]byte("t,y\n1,2\n2,3\n3,4\n"), "", "", 1, 1, 1)
	f.Fuzz(func(t *testing.T, data []byte, label, group string, window, stride, horizon int) {
		o := RecordingOptions{Label: label, Group: group, Window: window, Stride: stride, Horizon: horizon, LabelRule: LabelMajority}
		if horizon > 0 {
			o.Targets = []string{"-1"}
		}
		fuzzRead(t, func() (*Stream, error) {
			return ReadRecording([]Input{Bytes("one", data), Bytes("two", data)}, o)
		})
	})
}
