package dataset

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func formatFloat(v float32) string { return strconv.FormatFloat(float64(v), 'f', 6, 32) }

func TestReadWide(t *testing.T) {
	s, err := ReadWide(File("testdata/wide.csv"), WideOptions{})
	c := collected(t, s, err)
	assert.Equal(t, []string{"Resting", "Walking"}, c.Classes)
	assert.Equal(t, []string{"value"}, c.Channels)
	require.Len(t, c.Series, 4)
	assert.Equal(t, "0.5 ? 1.5", text(c.Series[1].Values), "a gap inside is missing")
	assert.Equal(t, "2 3", text(c.Series[2].Values), "one at the end ends the series")
	assert.Equal(t, "testdata/wide.csv:4", c.Series[2].Where)
	assert.Contains(t, strings.Join(c.Notes, "\n"), "the first row is a header")
	assert.Contains(t, strings.Join(c.Notes, "\n"), `the label is the last column, "class"`)
}

func TestReadWide_options(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		options    WideOptions
		want       string // label|values of each series
	}{
		{"no_header", "1,2,a\n3,4,b\n", WideOptions{}, "a|1 2;b|3 4"},
		{"first_column", "1;2;3\n2;4;5\n", WideOptions{Label: "1"}, "1|2 3;2|4 5"},
		{"from_end", "1\t2\t3\n2\t4\t5\n", WideOptions{Label: "-3"}, "1|2 3;2|4 5"},
		{"counting_header", "0,1,2,3,4,y\n5,6,7,5,5,1.0\n5,6,8,5,5,2.000e+00\n", WideOptions{}, "1|5 6 7 5 5;2|5 6 8 5 5"},
		{"all_counting", "0,1,2,3,4\n.5,6,7,5,1\n", WideOptions{}, "1|0.5 6 7 5"},
		{"header_no", "0,1,2,3,4\n.5,6,7,5,1\n", WideOptions{CSVOptions: CSVOptions{Header: HeaderNo}}, "4|0 1 2 3;1|0.5 6 7 5"},
		{"header_yes", "a,b\n1,x\n", WideOptions{CSVOptions: CSVOptions{Header: HeaderYes}}, "x|1"},
		{"no_label", "1,2\n3,4\n", WideOptions{NoLabel: true}, "|1 2;|3 4"},
		{"ignored", "id,v,w,k\nq7,1,2,a\nq8,3,4,b\n", WideOptions{Ignore: []string{"id"}}, "a|1 2;b|3 4"},
		{"channels", "1,2,3,4,5,6,a\n1,2,3,4,,,b\n", WideOptions{Channels: 2}, "a|1 2 3 4 5 6;b|1 2 3 4"},
		{"quoted", "\"1\", \"2\",\"a, b\"\r\n\r\n3,4,\"c\"\"d\"", WideOptions{}, `a, b|1 2;c"d|3 4`},
		{"utf8", "\xef\xbb\xbfµ,ß\n1,straße\n", WideOptions{}, "straße|1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := ReadWide(Bytes("w.csv", []byte(tc.text)), tc.options)
			c := collected(t, s, err)
			var got []string
			for _, one := range c.Series {
				assert.Len(t, one.Values, one.Steps*len(c.Channels))
				got = append(got, one.Label+"|"+text(one.Values))
			}
			assert.Equal(t, tc.want, strings.Join(got, ";"))
		})
	}
}

func TestReadWide_targets(t *testing.T) {
	s, err := ReadWide(Bytes("w.csv", []byte("a,b,y,who\n1,2,0.5,p1\n3,4,-1,p2\n")), WideOptions{Targets: []string{"y"}, Group: "who"})
	c := collected(t, s, err)
	assert.Equal(t, 1, c.Outputs)
	assert.Equal(t, []float32{-1}, c.Series[1].Targets)
	assert.Equal(t, "p2", c.Series[1].Group)
	assert.Equal(t, "3 4", text(c.Series[1].Values))
}

func TestReadWide_errors(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		options    WideOptions
		want       string
	}{
		{"empty", "", WideOptions{}, "w.csv: saw an empty file"},
		{"header_alone", "a,b\n", WideOptions{}, "w.csv: line 2: saw the end of the file"},
		{"number", "a,b,k\n1,2,x\n1,zz,x\n", WideOptions{}, `w.csv: line 3, column 2 ("b"): saw "zz", want a number`},
		{"comma", "a;b;k\n1;2;x\n1,5;2;x\n", WideOptions{}, `line 3, column 1 ("a"): saw "1,5", want a number with a decimal point`},
		{"infinite", "a,k\n1,x\n-Inf,x\n", WideOptions{}, `saw "-Inf", want a finite number`},
		{"short", "a,b,k\n1,2,x\n1,x\n", WideOptions{}, "line 3: saw 2 columns, want 3, as the first row has"},
		{"long", "1,2\n1,2,3\n", WideOptions{}, "line 2: saw 3 columns, want 2"},
		{"no_class", "a,k\n1,x\n1,\n", WideOptions{}, `line 3, column 2 ("k"): saw "", want a class`},
		{"no_values", "a,b,k\n1,2,x\n,?,x\n", WideOptions{}, `line 3, column 1 ("a"): saw a row without a value`},
		{"bare_quote", "a,k\n1,x\n2,x\"y\n", WideOptions{}, "line 3 (byte 4): saw a quote inside a cell"},
		{"open_quote", "a,k\n1,x\n2,\"y\n3,z\n", WideOptions{}, "line 3 (byte"},
		{"unknown", "a,k\n1,x\n", WideOptions{Label: "q"}, `no label column "q": the columns are a, k`},
		{"unknown_number", "1,x\n2,y\n", WideOptions{Label: "q"}, `label column "q", want a number from 1 to 2: the file has no header`},
		{"outside", "a,k\n1,x\n", WideOptions{Label: "7"}, "label column 7, want 1 to 2"},
		{"twice_named", "a,a\n1,x\n", WideOptions{Label: "a"}, `label column "a" is both column 1 and column 2`},
		{"two_roles", "a,k\n1,x\n", WideOptions{Label: "k", Group: "k"}, "has two roles"},
		{"label_and_target", "a,k\n1,2\n", WideOptions{Label: "k", Targets: []string{"a"}}, "beside targets"},
		{"channels", "1,2,3,a\n4,5,6,b\n", WideOptions{Channels: 2}, "saw 3 columns of values, want 1 or more, a multiple of 2 channels"},
		{"target", "a,y\n1,2\n1,\n", WideOptions{Targets: []string{"y"}}, `line 3, column 2 ("y"): saw "", want a number to learn`},
		{"delimiter", "1", WideOptions{CSVOptions: CSVOptions{Comma: '"'}}, "delimiter '\"', want one"},
		{"header", "1", WideOptions{CSVOptions: CSVOptions{Header: "maybe"}}, `header "maybe", want yes, no or nothing`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.ErrorContains(t, readingFault(ReadWide(Bytes("w.csv", []byte(tc.text)), tc.options)), tc.want)
		})
	}
}

// TestReadWide_roundTrip holds that what is written is read, to the bit.
func TestReadWide_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.IntRange(1, 13).Draw(t, "steps")
		rows := rapid.SliceOfN(rapid.SliceOfN(rapid.Float32Range(-1e30, 1e30), steps, steps), 1, 17).Draw(t, "rows")
		comma := rapid.SampledFrom([]string{",", ";", "\t"}).Draw(t, "comma")
		var b strings.Builder
		for i, row := range rows {
			for _, v := range row {
				b.WriteString(strconv.FormatFloat(float64(v), 'g', -1, 32) + comma)
			}
			b.WriteString("class " + strconv.Itoa(i%3) + "\n")
		}
		s, err := ReadWide(Bytes("w.csv", []byte(b.String())), WideOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := Collect(s)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			assert.Equal(t, row, c.Series[i].Values)
			assert.Equal(t, "class "+strconv.Itoa(i%3), c.Series[i].Label)
		}
	})
}

func FuzzReadWide(f *testing.F) {
	f.Add([]byte("a,b,k\n1,2,x\n3,?,y\n"), "", 1)
	f.Add([]byte("1;2;3\n2;4;5\n"), "1", 2)
	f.Add([]byte("\"1\",\"a\"\"b\"\n"), "-1", 1)
	f.Fuzz(func(t *testing.T, data []byte, label string, channels int) {
		fuzzRead(t, func() (*Stream, error) {
			return ReadWide(Bytes("fuzz", data), WideOptions{Label: label, Channels: channels})
		})
	})
}
