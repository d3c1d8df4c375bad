package checkpoint

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/qat-go/qat/internal/tensorfile"
)

// maxTempFiles is how many temporary names are tried: more files than that in
// one directory were left by crashes, or are being written at the same time.
const maxTempFiles = 1000

// WriteFileAtomic replaces the file at path by what write writes: a reader
// sees the whole old file or the whole new one, after a crash too.
//
// The bytes go to a temporary file in the same directory, which is synced,
// renamed to path, and the directory is synced. A new file gets the usual
// permissions (0666 less the umask), a replaced one keeps the old file's. A
// symbolic link at path is replaced, not followed.
//
// Errors: any, write's own among them, and then the old file is as it was and
// the temporary file is gone, also when write panics. One exception: if only
// the last step, syncing the directory, fails, the new file is in place, but
// a power cut may bring the old one back. A path that is a directory, a
// device or anything else but a regular file is refused.
func WriteFileAtomic(path string, write func(io.Writer) error) error {
	if err := writeFileAtomic(path, write); err != nil {
		return inFile(path, err)
	}
	return nil
}

func writeFileAtomic(path string, write func(io.Writer) error) (err error) {
	if path == "" {
		return errors.New("the path is empty")
	}
	perm, exists, err := replaceable(path)
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	temp, err := createTemp(dir.Name())
	if err != nil {
		return err
	}
	renamed := false
	defer func() { // on a panic of write as well
		if !renamed {
			temp.Close() // a second time does nothing
			if stale := os.Remove(temp.Name()); stale != nil {
				err = errors.Join(err, stale)
			}
		}
	}()
	if exists {
		if err := temp.Chmod(perm); err != nil {
			return err
		}
	}
	if err := fill(temp, write); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	renamed = true
	return syncDir(dir)
}

// replaceable tells whether there is a file at path, and its permissions. A
// rename would replace /dev/null as readily as a file, so it looks first.
func replaceable(path string) (perm fs.FileMode, exists bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, false, nil
	case err != nil:
		return 0, false, err
	}
	if err := tensorfile.Regular(info); err != nil {
		return 0, false, err
	}
	return info.Mode().Perm(), true, nil
}

// createTemp makes a new file in dir. Its name is counted, not drawn, and the
// permissions are left to the umask, which os.CreateTemp does not.
func createTemp(dir string) (*os.File, error) {
	for i := range maxTempFiles {
		name := filepath.Join(dir, fmt.Sprintf(".qat-%03d.tmp", i))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, fmt.Errorf("the directory holds %d temporary files .qat-*.tmp, remove them", maxTempFiles)
}

// fill lets write write, and brings the file to the disk.
func fill(f *os.File, write func(io.Writer) error) error {
	buffered := bufio.NewWriterSize(f, 1<<16)
	if err := write(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// syncDir makes a rename last. Windows cannot sync a directory, and some file
// systems say that they cannot: there is nothing more to do then.
func syncDir(dir *os.File) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	err := dir.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// inFile says which file the error is of.
func inFile(path string, err error) error {
	return fmt.Errorf("checkpoint: %w", tensorfile.InFile(path, err))
}
