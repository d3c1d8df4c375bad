package infer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// programBytes is less than a program that only infers has, as go build makes it:
// with the tables for debuggers.
const programBytes = 6_000_000

func TestProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("the tests may run in an emulator, where the builder does not")
	}
	file := filepath.Join(t.TempDir(), "program")
	out, err := exec.Command("go", "build", "-o", file, "./testdata/program").CombinedOutput()
	require.NoError(t, err, "%s", out)
	info, err := os.Stat(file)
	require.NoError(t, err)
	t.Logf("%d bytes", info.Size())
	assert.Less(t, info.Size(), int64(programBytes))

	m, err := Open("testdata/binary.qat")
	require.NoError(t, err)
	x := numbers(1, 3*m.Channels())
	y := predict(t, m, x)
	label, _, err := m.Label(y)
	require.NoError(t, err)
	cmd := exec.Command(file, "testdata/binary.qat")
	cmd.Stdin = strings.NewReader(strings.Trim(fmt.Sprint(x), "[]"))
	got, err := cmd.Output()
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintln(label, y), string(got), "another program gives the same")
}
