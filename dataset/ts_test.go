package dataset

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const tsHead = "@problemName Toy\n@timeStamps false\n@univariate false\n@classLabel true up Down\n@data\n"

func collected(t *testing.T, s *Stream, err error) *Collection {
	t.Helper()
	require.NoError(t, err)
	c, err := Collect(s)
	require.NoError(t, err)
	return c
}

// readingFault is the first error of opening and reading.
func readingFault(s *Stream, err error) error {
	if err != nil {
		return err
	}
	_, err = Collect(s)
	return err
}

// text shows values with NaN as ?, for comparisons.
func text(values []float32) string {
	var out []string
	for _, v := range values {
		if v != v {
			out = append(out, "?")
			continue
		}
		out = append(out, strings.TrimSuffix(strings.TrimRight(strings.TrimRight(formatFloat(v), "0"), "."), "."))
	}
	return strings.Join(out, " ")
}

func TestReadTS(t *testing.T) {
	s, err := ReadTS(File("testdata/steps.ts"))
	c := collected(t, s, err)
	assert.Equal(t, "steps.ts", c.Name)
	assert.Equal(t, []string{"dim1", "dim2"}, c.Channels)
	assert.Equal(t, []string{"up", "Down"}, c.Classes)
	require.Len(t, c.Series, 3)
	assert.Equal(t, "1 10 2 20 3 ?", text(c.Series[0].Values), "step by step")
	assert.Equal(t, 3, c.Series[0].Steps)
	assert.Equal(t, "up", c.Series[0].Label)
	assert.Equal(t, "Down", c.Series[1].Label, "classes may differ in case, as aeon has it")
	assert.Equal(t, 2, c.Series[1].Steps)
	assert.Equal(t, "testdata/steps.ts:12", c.Series[1].Where)
	assert.Equal(t, []string{"the tag @author says nothing to this reader"}, c.Notes)
}

func TestReadTS_regression(t *testing.T) {
	s, err := ReadTS(Bytes("r.ts", []byte("@targetLabel true\n@univariate true\n@data\n1,2,3:0.5\n?,NaN:-1e2\r\n")))
	c := collected(t, s, err)
	assert.Equal(t, 1, c.Outputs)
	assert.Nil(t, c.Classes)
	assert.Equal(t, []float32{-100}, c.Series[1].Targets)
	assert.Equal(t, "? ?", text(c.Series[1].Values))
}

func TestReadTS_unlabelled(t *testing.T) {
	s, err := ReadTS(Bytes("u.ts", []byte("\xef\xbb\xbf@classLabel false\n@data\n1,2:3,4")))
	c := collected(t, s, err)
	assert.Len(t, c.Channels, 2, "the first series tells")
	assert.Equal(t, "1 3 2 4", text(c.Series[0].Values))
}

func TestReadTS_errors(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", "x.ts: saw an empty file, want tags, @data and series"},
		{"no_data", "@classLabel false\n", "x.ts: line 2: saw the end of the file, want @data"},
		{"no_series", tsHead, "x.ts: no series"},
		{"no_tag", "1,2,3:up\n", `line 1: saw "1,2,3:up", want a tag`},
		{"no_label", "@data\n1\n", "line 1 (@data): saw neither @classLabel nor @targetLabel"},
		{"twice", "@missing true\n@missing true\n", "line 2 (@missing): saw the tag a second time, want it once: it is on line 1"},
		{"timestamps", "@timeStamps true\n", "line 1 (@timestamps): saw true, want false: series with timestamps are not read"},
		{"boolean", "@univariate yes\n", `line 1 (@univariate): saw "yes", want true or false`},
		{"no_boolean", "@univariate\n", `saw 0 values, want true or false`},
		{"dimensions", "@dimensions 0\n", `line 1 (@dimensions): saw "0", want a whole number, 1 or more`},
		{"classes", "@classLabel true\n", "saw true without classes"},
		{"classes_twice", "@classLabel true a b a\n", `saw class "a" twice`},
		{"classes_false", "@classLabel false a\n", "saw false with classes"},
		{"both", "@classLabel true a\n@targetLabel true\n@data\n", "line 2 (@targetlabel): saw true beside @classLabel true"},
		{"univariate", "@classLabel true a\n@univariate true\n@dimensions 3\n@data\n", "line 3 (@dimensions): saw 3 beside @univariate true, want 1"},
		{"data", "@classLabel true a\n@data 1\n", `saw "@data 1", want @data alone`},
		{"number", tsHead + "1,2:3,abc:up\n", `line 6, column 7 (dimension 2, step 2): saw "abc", want a number`},
		{"infinite", tsHead + "1,inf:3,4:up\n", `line 6, column 3 (dimension 1, step 2): saw "inf", want a finite number`},
		{"large", tsHead + "1,1e39:3,4:up\n", `saw "1e39", want a number that fits 32 bits`},
		{"hexadecimal", tsHead + "0x1p4:3:up\n", `saw "0x1p4", want a number`},
		{"gap", tsHead + "1,,2:1,2,3:up\n", `line 6, column 3 (dimension 1, step 2): saw "", want a number, or ? where`},
		{"class", tsHead + "1,2:3,4:left\n", `line 6, column 9 (class): saw "left", want one of up, Down`},
		{"no_class", tsHead + "1,2\n", `line 6: saw "1,2", want a colon and the class`},
		{"ragged", tsHead + "1,2:3,4,5:up\n", "line 6, column 5 (dimension 2): saw 3 values, want 2, as dimension 1 has"},
		{"none", tsHead + "1,2::up\n", "line 6, column 5 (dimension 2): saw no values, want 1 or more"},
		{"few", tsHead + "1:2:up\n1:up\n", "line 7: saw 1 dimension, want 2, as the first series has"},
		{"few_of_header", "@dimension 3\n@classLabel true a\n@data\n1:2:a\n", "line 4: saw 2 dimensions, want 3, as @dimensions says on line 1"},
		{"many", "@univariate true\n@classLabel true a\n@data\n1:2:a\n", "line 4: saw 2 dimensions, want 1, as @univariate says on line 1"},
		{"length", "@equalLength true\n@seriesLength 3\n@classLabel true a\n@data\n1,2:a\n", "line 5: saw 2 values, want 3, as line 2 says"},
		{"unequal", "@equalLength true\n@classLabel true a\n@data\n1,2:a\n1:a\n", "line 5: saw 1 value, want 2, as line 4 says"},
		{"tuple", tsHead + "(0,1),(1,2):(3,4):up\n", "series with timestamps are not read"},
		{"late_tag", tsHead + "@missing true\n", "the tags stand before @data"},
		{"target", "@targetLabel true\n@data\n1,2:?\n", `line 3, column 5 (target): saw "?", want a number`},
		{"utf16", "\xff\xfe@\x00", "line 1: saw UTF-16 text, want UTF-8"},
		{"zip", "PK\x03\x04", "saw a zip archive, want text"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := readingFault(ReadTS(Bytes("x.ts", []byte(tc.text))))
			require.ErrorContains(t, err, tc.want)
			assert.True(t, strings.HasPrefix(err.Error(), "dataset: x.ts: "), err)
		})
	}
	assert.ErrorContains(t, readingFault(ReadTS(File("testdata/none.ts"))), "dataset: testdata/none.ts: ")
	assert.ErrorContains(t, readingFault(ReadTS(File("testdata"))), "is a directory")
}

// TestReadTS_archive reads sets of the archive where they are at hand.
func TestReadTS_archive(t *testing.T) {
	for _, tc := range []struct {
		name                                   string
		channels, steps, classes, train, tests int
	}{
		{"BasicMotions", 6, 100, 4, 40, 40},
		{"ItalyPowerDemand", 1, 24, 2, 67, 1029},
		{"GunPoint", 1, 150, 2, 50, 150},
		{"ArrowHead", 1, 251, 3, 36, 175},
	} {
		for part, n := range map[string]int{"TRAIN": tc.train, "TEST": tc.tests} {
			t.Run(tc.name+"/"+part, func(t *testing.T) {
				path := filepath.Join("..", "..", "shared", "data", tc.name+"_"+part+".ts")
				if _, err := os.Stat(path); err != nil {
					t.Skip("the archive is not at hand")
				}
				s, err := ReadTS(File(path))
				c := collected(t, s, err)
				d := c.Describe()
				assert.Equal(t, n, d.Series)
				assert.Equal(t, Lengths{tc.steps, tc.steps, tc.steps}, d.Steps)
				assert.Len(t, d.Channels, tc.channels)
				assert.Len(t, d.Classes, tc.classes)
				for _, class := range d.Classes {
					assert.Positive(t, class.Count, class.Name)
				}
				for _, channel := range d.Channels {
					assert.Zero(t, channel.Missing)
				}
			})
		}
	}
}

func FuzzReadTS(f *testing.F) {
	f.Add([]byte(tsHead + "1,2:3,4:up\n"))
	f.Add([]byte("@targetLabel true\n@univariate true\n@equalLength true\n@seriesLength 2\n@data\n1,?:0.5\n"))
	f.Add([]byte("@classLabel false\n@data\n1,2:3,4"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzRead(t, func() (*Stream, error) { return ReadTS(Bytes("fuzz", data)) })
	})
}

// fuzzRead reads a stream twice and holds that it is valid and the same.
func fuzzRead(t *testing.T, open func() (*Stream, error)) {
	s, err := open()
	if err != nil {
		require.ErrorContains(t, err, "dataset: ")
		return
	}
	c, err := Collect(s)
	if err != nil {
		require.ErrorContains(t, err, "dataset: ")
		return
	}
	for _, one := range c.Series {
		require.Positive(t, one.Steps)
		require.Len(t, one.Values, one.Steps*len(c.Channels))
		require.Len(t, one.Targets, c.Outputs)
		for _, v := range append(one.Values, one.Targets...) {
			require.False(t, math.IsInf(float64(v), 0))
		}
		if c.Classes != nil && one.Label != "" {
			require.Contains(t, c.Classes, one.Label)
		}
	}
	again, err := Collect(s)
	require.NoError(t, err)
	require.Len(t, again.Series, len(c.Series))
	for i, one := range c.Series {
		other := again.Series[i]
		require.Equal(t, one.Where, other.Where)
		require.Equal(t, one.Label, other.Label)
		require.Equal(t, text(one.Values), text(other.Values))
	}
	_ = c.Describe().String()
}
