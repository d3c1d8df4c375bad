package dataset

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio/npy"
	"codeberg.org/sbinet/npyio/npz"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// npyFile is an array as NumPy saves it.
func npyFile(dtype, shape string, elements any) []byte {
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", dtype, shape)
	text += strings.Repeat(" ", 63-(10+len(text))%64) + "\n"
	var b bytes.Buffer
	b.WriteString("\x93NUMPY\x01\x00")
	_ = binary.Write(&b, binary.LittleEndian, uint16(len(text)))
	b.WriteString(text)
	var order binary.ByteOrder = binary.LittleEndian
	if dtype[0] == '>' {
		order = binary.BigEndian
	}
	_ = binary.Write(&b, order, elements)
	return b.Bytes()
}

func npzFile(t testing.TB, arrays map[string][]byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range arrays {
		w, err := z.Create(name)
		require.NoError(t, err)
		_, err = w.Write(data)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

func utf32(names ...string) []rune {
	var all []rune
	for _, name := range names {
		all = append(all, []rune(name)...)
	}
	return all
}

func TestReadNPY(t *testing.T) {
	half := []float64{0, 1.5, math.NaN(), 3, 4, 5}
	for _, tc := range []struct {
		name  string
		x     []byte
		want  string
		steps int
	}{
		{"f8", npyFile("<f8", "(2, 3)", half), "0 1.5 ?;3 4 5", 3},
		{"f4", npyFile("<f4", "(1, 3, 2)", []float32{0, 1, 2, 3, 4, 5}), "0 1 2 3 4 5", 3},
		{"big_end", npyFile(">f8", "(3, 2)", half), "0 1.5;? 3;4 5", 2},
		{"i1", npyFile("|i1", "(1, 3)", []int8{-1, 0, 127}), "-1 0 127", 3},
		{"i2", npyFile(">i2", "(1, 2)", []int16{-300, 300}), "-300 300", 2},
		{"i4", npyFile("<i4", "(1, 2)", []int32{-7, 7}), "-7 7", 2},
		{"i8", npyFile("<i8", "(2, 1)", []int64{-7, 7}), "-7;7", 1},
		{"u1", npyFile("|u1", "(1, 2)", []uint8{0, 255}), "0 255", 2},
		{"u2", npyFile("<u2", "(1, 1)", []uint16{65535}), "65535", 1},
		{"u4", npyFile("<u4", "(1L, 1L)", []uint32{9}), "9", 1},
		{"u8", npyFile("<u8", "(1,1)", []uint64{9}), "9", 1},
		{"bool", npyFile("|b1", "(1, 2)", []bool{true, false}), "1 0", 2},
		{"other_order", append([]byte("\x93NUMPY\x02\x00\x36\x00\x00\x00{\"shape\":(1,2),\"fortran_order\":False,\"descr\":\"|u1\"}  \n"), 7, 8), "7 8", 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := ReadNPY(Bytes("x.npy", tc.x), NPYOptions{})
			c := collected(t, s, err)
			var got []string
			for _, one := range c.Series {
				got = append(got, text(one.Values))
				assert.Equal(t, tc.steps, one.Steps)
			}
			assert.Equal(t, tc.want, strings.Join(got, ";"))
		})
	}
}

func TestReadNPY_labels(t *testing.T) {
	x := Bytes("x.npy", npyFile("<f4", "(2, 2)", []float32{1, 2, 3, 4}))
	for _, tc := range []struct {
		name    string
		y       []byte
		task    NPYTask
		labels  string
		targets string
	}{
		{"integers", npyFile("<i8", "(2,)", []int64{3, -1}), "", "3 -1", " "},
		{"column", npyFile("<i8", "(2, 1)", []int64{3, -1}), "", "3 -1", " "},
		{"booleans", npyFile("|b1", "(2,)", []bool{true, false}), "", "true false", " "},
		{"text", npyFile("<U4", "(2,)", utf32("walk", "é\x00\x00\x00")), "", "walk é", " "},
		{"bytes", npyFile("|S4", "(2,)", []byte("walkup\x00\x00")), "", "walk up", " "},
		{"floats", npyFile("<f8", "(2,)", []float64{0.5, 2}), "", " ", "0.5 2"},
		{"whole_floats", npyFile("<f8", "(2,)", []float64{1, 2}), NPYClasses, "1 2", " "},
		{"integer_targets", npyFile("<i4", "(2,)", []int32{5, 7}), NPYTargets, " ", "5 7"},
		{"two_targets", npyFile("<f4", "(2, 2)", []float32{1, 2, 3, 4}), "", " ", "1 2 3 4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := ReadNPY(x, NPYOptions{Y: Bytes("y.npy", tc.y), Task: tc.task})
			c := collected(t, s, err)
			assert.Equal(t, tc.labels, c.Series[0].Label+" "+c.Series[1].Label)
			assert.Equal(t, tc.targets, text(c.Series[0].Targets)+" "+text(c.Series[1].Targets))
		})
	}
}

func TestReadNPZ(t *testing.T) {
	s, err := ReadNPZ(Bytes("a.npz", npzFile(t, map[string][]byte{
		"x.npy":       npyFile("<f4", "(2, 3, 1)", []float32{1, 2, 3, 4, 5, 6}),
		"Y.npy":       npyFile("<i8", "(2,)", []int64{1, 0}),
		"lengths.npy": npyFile("<i8", "(2,)", []int64{2, 3}),
		"groups.npy":  npyFile("<U1", "(2,)", utf32("p", "q")),
		"extra.npy":   npyFile("<i8", "(1,)", []int64{2}),
	})), NPYAuto)
	c := collected(t, s, err)
	assert.Equal(t, "1||p|1 2;0||q|4 5 6", shownAll(c))
	assert.Equal(t, "a.npz/x.npy[1]", c.Series[1].Where)
	assert.Equal(t, []string{`the array "extra.npy" is not used`}, c.Notes)
}

// TestReadNPZ_written reads what npyio writes.
func TestReadNPZ_written(t *testing.T) {
	var b bytes.Buffer
	z := npz.NewWriter(&b)
	require.NoError(t, z.Write("X.npy", mat.NewDense(2, 3, []float64{1, 2, 3, 4, 5, 6})))
	require.NoError(t, z.Write("y.npy", []int64{4, 5}))
	require.NoError(t, z.Close())
	s, err := ReadNPZ(Bytes("a.npz", b.Bytes()), NPYAuto)
	assert.Equal(t, "4|||1 2 3;5|||4 5 6", shownAll(collected(t, s, err)))
}

func TestReadNPY_errors(t *testing.T) {
	good := npyFile("<f4", "(2, 2)", []float32{1, 2, 3, 4})
	descr := func(dtype, shape string) []byte { return npyFile(dtype, shape, []byte{}) }
	for _, tc := range []struct {
		name string
		x, y []byte
		want string
	}{
		{"empty", nil, nil, "x.npy: header: saw the end of the file, want an .npy header"},
		{"magic", []byte("PK\x03\x04 and more of it"), nil, `saw "PK\x03\x04 a", want the start of an .npy file`},
		{"version", []byte("\x93NUMPY\x09\x00\x00\x00"), nil, "saw version 9, want 1, 2 or 3"},
		{"cut_header", good[:40], nil, "saw the end of the file, want an .npy header"},
		{"long_header", []byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), nil, "saw a longer header"},
		{"dictionary", []byte("\x93NUMPY\x01\x00\x02\x00[]"), nil, `saw "[]", want a dictionary`},
		{"no_shape", []byte("\x93NUMPY\x01\x00\x02\x00{}"), nil, `0 descr entries: "{}", want 1`},
		{"cut", good[:len(good)-3], nil, "x.npy: saw 141 bytes, want 144 for a header of 128"},
		{"trailing", append(bytes.Clone(good), 0), nil, "x.npy: saw 145 bytes, want 144"},
		{"huge", descr("<f4", "(1000000000, 1000000000)"), nil, "want fewer elements"},
		{"large", descr("<f8", "(10000, 10000, 100)"), nil, "bytes, want 80000000128 for"},
		{"complex", descr("<c8", "(2, 2)"), nil, `saw elements of type "<c8", want float32`},
		{"half", descr("<f2", "(2, 2)"), nil, `saw elements of type "<f2"`},
		{"object", descr("|O", "(2, 2)"), nil, `saw elements of type "|O"`},
		{"no_order", descr("|f4", "(2, 2)"), nil, "want a byte order"},
		{"flat", npyFile("<f4", "(2,)", []float32{1, 2}), nil, "saw the shape [2], want series, steps"},
		{"none", descr("<f4", "(0, 2)"), nil, "saw the shape [0 2]"},
		{"negative", descr("<f4", "(-1, 2)"), nil, "0 shape entries"},
		{"text", npyFile("<U1", "(1, 1)", utf32("a")), nil, "saw text, want numbers"},
		{"columns", bytes.Replace(good, []byte("False, 'shape'"), []byte("True,  'shape'"), 1), nil, "saw an array stored column by column"},
		{"infinite", npyFile("<f4", "(1, 2, 2)", []float32{1, 2, 3, float32(math.Inf(1))}), nil, "x.npy: element [0, 1, 1]: saw +Inf, want a finite number"},
		{"too_large", npyFile("<f8", "(1, 2)", []float64{1, 1e300}), nil, "element [0, 1]: saw 1e+300, want a finite number that fits"},
		{"y_shape", good, npyFile("<i8", "(3,)", []int64{1, 2, 3}), "y.npy: saw the shape [3], want [2] or [2, K] for the series of x.npy"},
		{"y_one_hot", good, npyFile("<i8", "(2, 2)", []int64{1, 0, 0, 1}), "saw the shape [2 2], want [2]: one class"},
		{"y_nan", good, npyFile("<f4", "(2,)", []float32{1, nan}), "y.npy: element [1]: saw NaN, want a number to learn"},
		{"y_empty", good, npyFile("<U1", "(2,)", utf32("a", "\x00")), `y.npy: element [1]: saw "", want a name`},
		{"y_letters", good, npyFile("<U1", "(2,)", []uint32{'a', 1 << 30}), "y.npy: element [1]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := NPYOptions{}
			if tc.y != nil {
				o.Y = Bytes("y.npy", tc.y)
			}
			require.ErrorContains(t, readingFault(ReadNPY(Bytes("x.npy", tc.x), o)), tc.want)
		})
	}
	x := Bytes("x.npy", good)
	_, err := ReadNPY(x, NPYOptions{Lengths: Bytes("l.npy", npyFile("<i8", "(2,)", []int64{1, 3}))})
	require.ErrorContains(t, err, "l.npy: element [1]: saw 3, want 1 to 2 steps")
	_, err = ReadNPY(x, NPYOptions{Groups: Bytes("g.npy", npyFile("<f4", "(2,)", []float32{1, 3}))})
	require.ErrorContains(t, err, "g.npy: saw elements of type <f4, want integers or text")
	_, err = ReadNPY(x, NPYOptions{Task: NPYTargets})
	require.ErrorContains(t, err, "without an array of them")
	_, err = ReadNPY(x, NPYOptions{Task: NPYClasses, Y: Bytes("y.npy", npyFile("<f4", "(2,)", []float32{1, 1.5}))})
	require.ErrorContains(t, err, "y.npy: element [1]: saw 1.5, want a class: a whole number")
	_, err = ReadNPZ(Bytes("a.npz", []byte("not a zip")), NPYAuto)
	require.ErrorContains(t, err, "dataset: a.npz: zip: not a valid zip file")
	_, err = ReadNPZ(Bytes("a.npz", npzFile(t, map[string][]byte{"q.npy": good})), NPYAuto)
	require.ErrorContains(t, err, "a.npz: saw the arrays q.npy, want X and")
	// An archive does not tell the true size: the data run out.
	err = readingFault(ReadNPZ(Bytes("a.npz", npzFile(t, map[string][]byte{"X.npy": descr("<f4", "(9, 1000000000)")})), NPYAuto))
	require.ErrorContains(t, err, "a.npz/X.npy: saw the end of the file in or after element 0, want 9000000000 elements")
	err = readingFault(ReadNPZ(Bytes("a.npz", npzFile(t, map[string][]byte{"X.npy": append(bytes.Clone(good), 7)})), NPYAuto))
	require.ErrorContains(t, err, "saw bytes after the last element")
}

// TestReadNPY_roundTrip holds that what is written is read, to the bit.
func TestReadNPY_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, steps, channels := rapid.IntRange(1, 7).Draw(t, "n"), rapid.IntRange(1, 11).Draw(t, "steps"), rapid.IntRange(1, 5).Draw(t, "channels")
		values := rapid.SliceOfN(rapid.Float32Range(-1e38, 1e38), n*steps*channels, n*steps*channels).Draw(t, "values")
		s, err := ReadNPY(Bytes("x.npy", npyFile("<f4", fmt.Sprintf("(%d, %d, %d)", n, steps, channels), values)), NPYOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var got []float32
		for one, err := range s.All() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, one.Values...)
		}
		assert.Equal(t, values, got)
	})
}

func FuzzReadNPY(f *testing.F) {
	good := npyFile("<f4", "(2, 2)", []float32{1, 2, 3, 4})
	f.Add("", "", good, npyFile("<i8", "(2,)", []int64{1, 0}))
	f.Add("<f4", "(2, 2)", good[128:], npyFile("<U2", "(2,)", utf32("ab", "c\x00")))
	f.Add(">f8", "(1, 1, 2)", good[128:], npyFile("|b1", "(1,)", []bool{true}))
	f.Add("|i1", "(4, 4)", good[128:], npyFile("<f4", "(4, 2)", make([]float32, 8)))
	f.Add("npz", "", npzFile(f, map[string][]byte{"X.npy": good}), []byte{})
	var b bytes.Buffer
	_ = npy.Write(&b, []float64{1, 2, 3})
	f.Add("", "", b.Bytes(), b.Bytes())
	f.Fuzz(func(t *testing.T, dtype, shape string, x, y []byte) {
		if dtype != "" && dtype != "npz" && len(dtype)+len(shape) < 1000 {
			x = npyFile(dtype, shape, x)
		}
		fuzzRead(t, func() (*Stream, error) {
			switch {
			case dtype == "npz" && len(y) == 0:
				return ReadNPZ(Bytes("fuzz.npz", x), NPYAuto)
			case dtype == "npz":
				return ReadNPZ(Bytes("fuzz.npz", npzFile(t, map[string][]byte{"X.npy": x, "y.npy": y})), NPYAuto)
			case len(y) == 0:
				return ReadNPY(Bytes("x.npy", x), NPYOptions{})
			}
			return ReadNPY(Bytes("x.npy", x), NPYOptions{Y: Bytes("y.npy", y)})
		})
	})
}
