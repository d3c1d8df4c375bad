package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Checksums of the values (float32, little-endian) and the labels (a byte
// each), computed by numpy from scikit-learn's copy of the file:
//
//	a = np.loadtxt(gzip.open("digits.csv.gz"), delimiter=",")
//	sha256((a[:, :64] / 16).astype("<f4").tobytes())
//	sha256(a[:, 64].astype("u1").tobytes())
const (
	digitsValuesSHA256 = "9f578524b6cec1fc800cc52dfc87ebe56264983d490aa72a4bd928ba2570ec77"
	digitsLabelsSHA256 = "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0"
)

func TestDigits(t *testing.T) {
	s, err := Digits()
	require.NoError(t, err)
	require.NoError(t, s.Validate())
	assert.Equal(t, 1797, s.Len())
	assert.Equal(t, 8, s.Steps)
	assert.Equal(t, 8, s.Channels)
	assert.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, s.Classes)

	counts := make([]int, 10)
	labels := make([]byte, s.Len())
	for i, label := range s.Labels {
		counts[label]++
		labels[i] = byte(label)
	}
	assert.Equal(t, []int{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}, counts)
	assert.Equal(t, digitsLabelsSHA256, checksum(labels))

	values := make([]byte, 4*len(s.Values))
	_, err = binary.Encode(values, binary.LittleEndian, s.Values)
	require.NoError(t, err)
	assert.Equal(t, digitsValuesSHA256, checksum(values))

	sum := 0
	for i, v := range s.Values {
		pixel := v * 16
		require.True(t, pixel >= 0 && pixel <= 16 && pixel == float32(int(pixel)), "value %d is %v", i, v)
		sum += int(pixel)
	}
	assert.Equal(t, 561718, sum)
}

func TestDigits_first(t *testing.T) {
	s, err := Digits()
	require.NoError(t, err)
	want := strings.TrimPrefix(`
  +##   
  ####+ 
  #  #+ 
 +#  ++ 
 ++  #+ 
 +#  #+ 
  #+##  
  +##   
`, "\n")
	var got strings.Builder
	for i, v := range s.At(0) {
		switch {
		case v > 0.5:
			got.WriteByte('#')
		case v > 0.2:
			got.WriteByte('+')
		default:
			got.WriteByte(' ')
		}
		if i%8 == 7 {
			got.WriteByte('\n')
		}
	}
	assert.Equal(t, want, got.String())
	assert.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, s.Labels[:10])
}

func TestDigits_split(t *testing.T) {
	s, err := Digits()
	require.NoError(t, err)
	train, test, err := s.SplitAt(DigitsTrain)
	require.NoError(t, err)
	assert.Equal(t, 1437, train.Len())
	assert.Equal(t, 360, test.Len())
}

func TestDigits_copies(t *testing.T) {
	a, err := Digits()
	require.NoError(t, err)
	a.Values[0], a.Labels[0], a.Classes[0] = 7, 7, "seven"
	b, err := Digits()
	require.NoError(t, err)
	assert.Equal(t, float32(0), b.Values[0])
	assert.Equal(t, 0, b.Labels[0])
	assert.Equal(t, "0", b.Classes[0])
}

func TestOpenDigits_errors(t *testing.T) {
	_, err := openDigits(nil)
	assert.ErrorIs(t, err, io.EOF)
	_, err = openDigits([]byte("not gzip at all"))
	assert.ErrorContains(t, err, "dataset: digits: gzip: invalid header")
	_, err = openDigits(digitsGzip[:len(digitsGzip)-9])
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	damaged := append([]byte(nil), digitsGzip...)
	damaged[len(damaged)-5] ^= 1 // the stored checksum
	_, err = openDigits(damaged)
	assert.ErrorContains(t, err, "checksum")
}

func TestReadDigits(t *testing.T) {
	s, err := readDigits(strings.NewReader(digitsRow(nil) + digitsRow(map[int]string{1: "16", 64: "1", 65: "9"})))
	require.NoError(t, err)
	require.NoError(t, s.Validate())
	assert.Equal(t, []int{7, 9}, s.Labels)
	assert.Equal(t, float32(3)/16, s.At(0)[0])
	assert.Equal(t, float32(1), s.At(1)[0])
	assert.Equal(t, float32(1)/16, s.At(1)[63])
}

func TestReadDigits_errors(t *testing.T) {
	good := digitsRow(nil)
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", "the file is empty, want 1 row or more"},
		{"cut", good + strings.TrimSuffix(good, "\n"), "row 2: cut short, want a newline at its end"},
		{"blank", good + "\n" + good, "row 2: got 1 columns, want 65"},
		{"few", "1,2,3\n", "row 1: got 3 columns, want 65"},
		{"many", strings.TrimSuffix(good, "\n") + ",0\n", "row 1: got 66 columns, want 65"},
		{"pixel_big", good + digitsRow(map[int]string{64: "17"}), `row 2, column 64: got "17", want a pixel from 0 to 16`},
		{"pixel_negative", digitsRow(map[int]string{1: "-1"}), `row 1, column 1: got "-1", want a pixel from 0 to 16`},
		{"pixel_missing", digitsRow(map[int]string{2: ""}), `row 1, column 2: got "", want a pixel from 0 to 16`},
		{"pixel_real", digitsRow(map[int]string{3: "1.0"}), `row 1, column 3: got "1.0", want a pixel from 0 to 16`},
		{"pixel_padded", digitsRow(map[int]string{3: "07"}), `row 1, column 3: got "07", want a pixel from 0 to 16`},
		{"pixel_space", digitsRow(map[int]string{3: " 7"}), `row 1, column 3: got " 7", want a pixel from 0 to 16`},
		{"pixel_long", digitsRow(map[int]string{3: strings.Repeat("9", 1009)}),
			`row 1, column 3: got "99999999999999999999", want a pixel from 0 to 16`},
		{"digit", digitsRow(map[int]string{65: "10"}), `row 1, column 65: got "10", want a digit from 0 to 9`},
		{"carriage_return", digitsRow(map[int]string{65: "3\r"}), `row 1, column 65: got "3\r", want a digit from 0 to 9`},
		{"binary", "\x00\xff\xfe\n", "row 1: got 1 columns, want 65"},
		{"rows", strings.Repeat(good, 1798), "row 1798 is one too many, want 1797"},
		{"bytes", strings.Repeat("x", digitsMaxBytes+1), "more than 350415 bytes, want at most 1797 rows of 65 columns"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := readDigits(strings.NewReader(tc.text))
			assert.EqualError(t, err, "dataset: digits: "+tc.want)
			assert.Nil(t, s)
		})
	}
	broken := errors.New("broken")
	_, err := readDigits(iotest.ErrReader(broken))
	assert.ErrorIs(t, err, broken)
}

func FuzzReadDigits(f *testing.F) {
	f.Add("")
	f.Add(digitsRow(nil))
	f.Add(digitsRow(nil) + digitsRow(map[int]string{65: "0"}))
	f.Add(digitsRow(map[int]string{9: "99"}))
	f.Add(strings.Repeat(",", 64) + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := readDigits(strings.NewReader(text))
		if err != nil {
			assert.Nil(t, s)
			assert.ErrorContains(t, err, "dataset: digits: ")
			return
		}
		require.NoError(t, s.Validate())
		assert.Equal(t, text, formatDigits(s), "what is read can be written back as it was")
	})
}

// digitsRow is a row of 3s and the label 7, with columns replaced.
func digitsRow(replaced map[int]string) string {
	fields := make([]string, digitsColumns)
	for i := range fields {
		fields[i] = "3"
		if i == digitsColumns-1 {
			fields[i] = "7"
		}
		if text, ok := replaced[i+1]; ok {
			fields[i] = text
		}
	}
	return strings.Join(fields, ",") + "\n"
}

// formatDigits is the inverse of readDigits.
func formatDigits(s *Set) string {
	var out strings.Builder
	for i, label := range s.Labels {
		for _, v := range s.At(i) {
			fmt.Fprintf(&out, "%d,", int(v*digitsMax))
		}
		fmt.Fprintln(&out, label)
	}
	return out.String()
}

func checksum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
