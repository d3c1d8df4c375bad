package checkpoint

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/internal/smalldisk"
)

// floats is a file of n values that are v.
func floats(n int, v float32) File {
	values := make([]float32, n)
	for i := range values {
		values[i] = v
	}
	return one("w", []int{n}, values)
}

// diskBytes has room for two checkpoints of checkpointValues, not for three.
const (
	checkpointValues = 16 << 10
	diskBytes        = 4*checkpointValues*5/2 + 8<<10
)

// TestDirOnFullDisk saves until the disk is full: an error that says what, and the
// checkpoints before are untouched. With room again it goes on.
func TestDirOnFullDisk(t *testing.T) {
	disk := smalldisk.New(t, diskBytes)
	d := Dir{Path: filepath.Join(disk.Path, "checkpoints"), Keep: 3}
	require.NoError(t, d.Save(11, floats(checkpointValues, 11)))
	require.NoError(t, d.Save(13, floats(checkpointValues, 13)))
	before := content(t, filepath.Join(d.Path, stepName(13)))

	latest := func() (got float32) {
		damaged, err := d.Latest(func(_ string, f File) error { got = f.Tensors[0].Values[0]; return nil })
		require.NoError(t, err)
		require.Empty(t, damaged)
		return got
	}
	for range 3 { // a failed one leaves nothing that the next could stumble over
		err := d.Save(17, floats(checkpointValues, 17))
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.EqualError(t, err, "checkpoint: "+filepath.Join(d.Path, stepName(17))+": write: no space left on device")
		require.Equal(t, []string{stepName(11), stepName(13)}, names(t, d.Path))
		require.Equal(t, float32(13), latest())
	}
	assert.Equal(t, before, content(t, filepath.Join(d.Path, stepName(13))))

	disk.Resize(2 * diskBytes)
	require.NoError(t, d.Save(17, floats(checkpointValues, 17)))
	assert.Equal(t, float32(17), latest())
}

// TestWriteOnFullDisk replaces a file by one that there is no room for beside it.
func TestWriteOnFullDisk(t *testing.T) {
	path := filepath.Join(smalldisk.New(t, diskBytes).Path, "a")
	require.NoError(t, Write(path, floats(checkpointValues, 11)))
	require.ErrorIs(t, Write(path, floats(2*checkpointValues, 13)), syscall.ENOSPC)
	f, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, floats(checkpointValues, 11).Tensors, f.Tensors)
	assert.Equal(t, []string{"a"}, names(t, filepath.Dir(path)))
}

// TestDirUnwritable has a disk that even root cannot write.
func TestDirUnwritable(t *testing.T) {
	disk := smalldisk.New(t, diskBytes)
	d := Dir{Path: filepath.Join(disk.Path, "checkpoints"), Keep: 1}
	require.NoError(t, d.Save(11, floats(11, 11)))
	disk.ReadOnly(diskBytes)
	err := d.Save(13, floats(11, 13))
	assert.ErrorIs(t, err, syscall.EROFS)
	assert.EqualError(t, err, "checkpoint: "+filepath.Join(d.Path, stepName(13))+": open: read-only file system")
	assert.ErrorIs(t, Dir{Path: filepath.Join(disk.Path, "new"), Keep: 1}.Save(13, floats(11, 13)), syscall.EROFS)
	assert.Equal(t, []string{stepName(11)}, names(t, d.Path))

	disk.Resize(diskBytes)
	require.NoError(t, d.Save(13, floats(11, 13)))
	assert.Equal(t, []string{stepName(13)}, names(t, d.Path), "and the older one goes")
	_, err = os.Stat(filepath.Join(disk.Path, "new"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
