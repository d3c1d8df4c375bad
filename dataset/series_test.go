package dataset

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/qat-go/qat/preprocess"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// longFile is text of a head and a line repeated.
type longFile struct {
	head, line string
	lines      int
	left       []byte
}

func (f *longFile) Read(p []byte) (int, error) {
	if len(f.left) == 0 {
		switch {
		case f.head != "":
			f.left, f.head = []byte(f.head), ""
		case f.lines > 0:
			f.left = []byte(f.line)
			f.lines--
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, f.left)
	f.left = f.left[n:]
	return n, nil
}

func (f *longFile) Close() error { return nil }

func generated(head, line string, lines int) Input {
	return Input{Name: "generated", Open: func() (io.ReadCloser, error) {
		return &longFile{head: head, line: line, lines: lines}, nil
	}}
}

// TestStream_memory reads files of 8 MB and more and holds that little of it
// stays.
func TestStream_memory(t *testing.T) {
	const most = 3 << 20 // far less than any of the files, more than two collections' garbage
	values := strings.Repeat("1.25,-7.5,", 600)
	for _, tc := range []struct {
		name string
		open func() (*Stream, error)
		n    int
	}{
		{"ts", func() (*Stream, error) {
			return ReadTS(generated("@classLabel true a\n@data\n", values+"3:a\n", 1300))
		}, 1300},
		{"wide", func() (*Stream, error) {
			return ReadWide(generated("", values+"3,a\n", 1300), WideOptions{})
		}, 1300},
		{"recording", func() (*Stream, error) {
			return ReadRecording([]Input{generated("x,y,k\n", "1.2500000,-7.500000000000,a\n", 300000)},
				RecordingOptions{Label: "k", Window: 61, Stride: 29})
		}, (300000-61)/29 + 1},
		{"npy", func() (*Stream, error) {
			head := string(npyFile("<f4", "(1300, 1500)", []byte{}))
			return ReadNPY(generated(head, strings.Repeat("\x00\x00\x80\x3f", 1500), 1300), NPYOptions{})
		}, 1300},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := tc.open()
			require.NoError(t, err)
			var before, now runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			n, peak := 0, uint64(0)
			for _, err := range ShuffleBuffer(s.All(), 17, 1, 0) {
				require.NoError(t, err)
				if n++; n%(tc.n/5) == 0 {
					runtime.GC()
					runtime.ReadMemStats(&now)
					peak = max(peak, now.HeapAlloc)
				}
			}
			assert.Equal(t, tc.n, n)
			assert.Less(t, int64(peak)-int64(before.HeapAlloc), int64(most))
		})
	}
}

func TestStreamPick(t *testing.T) {
	s, err := ReadWide(Bytes("w.csv", []byte("1,a\n2,b\n3,c\n4,d\n")), WideOptions{})
	require.NoError(t, err)
	assert.Equal(t, "b|||2;d|||4", shownAll(collected(t, s.Pick([]int{3, 1, 3}), nil)))
	_, err = Collect(s.Pick([]int{4}))
	require.ErrorContains(t, err, "series 4 is picked, want 0 to 3")
	_, err = Collect(s.Pick([]int{-1}))
	require.ErrorContains(t, err, "series -1 is picked")
	_, err = Collect(s.Pick(nil))
	require.ErrorContains(t, err, "no series")

	x, err := NewIndex(s)
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b", "c", "d"}, x.Labels)
	assert.Nil(t, x.Groups)
	c := collected(t, s, nil)
	p, err := c.Split(SplitOptions{Test: 0.5, By: SplitByTime})
	require.NoError(t, err)
	q, err := x.Split(SplitOptions{Test: 0.5, By: SplitByTime})
	require.NoError(t, err)
	assert.Equal(t, p, q, "a stream is split as its collection")
	test, err := c.Subset(p.Test)
	require.NoError(t, err)
	assert.Equal(t, shownAll(test), shownAll(collected(t, s.Pick(q.Test), nil)))
	_, err = c.Subset([]int{9})
	require.ErrorContains(t, err, "indices[0] is 9, want 0 to 3")
}

func TestStream_stops(t *testing.T) {
	closed := 0
	in := Input{Name: "f", Open: func() (io.ReadCloser, error) {
		return struct {
			io.Reader
			io.Closer
		}{strings.NewReader("1,a\n2,b\n"), closeFunc(func() error { closed++; return nil })}, nil
	}}
	s, err := ReadWide(in, WideOptions{})
	require.NoError(t, err)
	for range s.All() {
		break
	}
	assert.Equal(t, 2, closed, "the file is closed when the range is left")
}

type closeFunc func() error

func (f closeFunc) Close() error { return f() }

func TestDescribe(t *testing.T) {
	s, err := ReadRecording(Files("testdata/session1.csv", "testdata/session2.csv"),
		RecordingOptions{Label: "activity", Window: 4, Stride: 2})
	c := collected(t, s, err)
	d := c.Describe()
	streamed, err := Describe(s)
	require.NoError(t, err)
	one, err := json.Marshal(d)
	require.NoError(t, err)
	other, err := json.Marshal(streamed)
	require.NoError(t, err)
	assert.Equal(t, string(one), string(other))
	assert.Equal(t, []Count{{"rest", 5}, {"walk", 1}}, d.Classes)
	assert.Equal(t, []Count{{"session1.csv", 4}, {"session2.csv", 2}}, d.Groups)
	assert.Equal(t, Lengths{4, 4, 4}, d.Steps)
	assert.Contains(t, d.String(), "windows    of 4 steps, every 2, horizon 0")

	s, err = ReadTS(File("testdata/steps.ts"))
	d = collected(t, s, err).Describe()
	assert.Equal(t, Lengths{1, 2, 3}, d.Steps)
	assert.Equal(t, []Count{{"up", 2}, {"Down", 1}}, d.Classes, "in the file's order")
	assert.Equal(t, int64(1), d.Channels[1].Missing)
	assert.Equal(t, float32(70), d.Channels[1].Max)
	assert.Contains(t, d.String(), "steps      1 to 3, median 2")
}

func TestInput_gzip(t *testing.T) {
	plain, err := ReadWide(File("digits.csv.gz"), WideOptions{Channels: 8})
	c := collected(t, plain, err)
	require.Equal(t, 1797, c.Len())
	digits, err := Digits()
	require.NoError(t, err)
	p, err := FitPreprocess(PreprocessOptions{Raw: true, Frame: 1}, c.Channels, c.All())
	require.NoError(t, err)
	p.Scale = preprocess.Scaler{Mean: make([]float64, 8), Std: []float64{16, 16, 16, 16, 16, 16, 16, 16}}
	set, err := c.Set(p, c.Classes)
	require.NoError(t, err)
	assert.Len(t, set.Recorded, set.Len())
	assert.Same(t, p, set.Pipeline)
	set.Name, set.Recorded, set.Pipeline = digits.Name, nil, nil // those are in the binary as the model reads them
	assert.Equal(t, digits, set)
}

func TestClasses_sorted(t *testing.T) {
	for _, tc := range []struct{ names, want string }{
		{"10 9 -1", "-1 9 10"},
		{"b a 10", "10 a b"},
		{"1 1.0", "1 1.0"},
	} {
		seen := map[string]bool{}
		for name := range strings.FieldsSeq(tc.names) {
			seen[name] = true
		}
		assert.Equal(t, tc.want, strings.Join(sortedClasses(seen), " "))
	}
	for cell, want := range map[string]string{"1.0": "1", "1.": "1", "-2.50e+01": "-25", "1.5": "1.5", "007": "007", "walk": "walk", "1e5": "1e5", "2.0e300": "2.0e300"} {
		assert.Equal(t, want, className(cell), fmt.Sprint(cell))
	}
}
