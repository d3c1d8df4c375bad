package dataset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// people are the rows of sessions of others, as sessions are.
func people(prefix string) []string {
	rows := sessions()
	for i := range rows[1:] {
		rows[1+i] = prefix + rows[1+i]
	}
	return rows
}

func TestLeak(t *testing.T) {
	const is = " is in the training files too: want "
	path := rowsFile(t, "a.csv", sessions()...)
	link := filepath.Join(t.TempDir(), "b.csv")
	require.NoError(t, os.Symlink(path, link))
	some := append(people("other ")[:81:81], sessions()[81:]...) // s2 to s4 are in both
	s := recordingSource(path)
	for _, c := range []struct{ name, test, want string }{
		{"file", path, "dataset: test file " + path + is + "files of its own"},
		{"link", link, "dataset: test file " + link + is + "files of its own"},
		{"group", rowsFile(t, "c.csv", some...), `dataset: c.csv: group "s2"` + is + "each wholly in one part"},
		{"none", rowsFile(t, "d.csv", people("other ")...), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, memory := range []int64{0, 100} { // in memory, and streamed
				s := s
				s.Test, s.Memory = []string{c.test}, memory
				_, err := s.Load()
				if c.want == "" {
					assert.NoError(t, err)
					continue
				}
				assert.ErrorIs(t, err, ErrLeak)
				assert.ErrorContains(t, err, c.want)
				s.LeakOverlaps = true
				_, err = s.Load()
				assert.NoError(t, err, "asked for by name")
			}
		})
	}

	// Where each file is a group, files of one name in two folders are two groups.
	other := func(name string) string { return rowsFile(t, name, sessions()...) }
	s.Recording.Group = ""
	s.Files, s.Test = []string{other("a.csv"), other("b.csv")}, []string{other("a.csv"), other("c.csv")}
	_, err := s.Load()
	assert.NoError(t, err)

	wide := Source{Split: SplitAuto, Wide: WideOptions{Group: "who"}}
	wide.Files = []string{rowsFile(t, "w.csv", "who,x,y,class", "p,1,2,a", "q,2,3,b")}
	wide.Test = []string{rowsFile(t, "v.csv", "who,x,y,class", "r,1,2,a", "q,2,3,b")}
	_, err = wide.Load()
	assert.ErrorContains(t, err, `group "q"`+strings.TrimSuffix(is, " want "))
}
