package smalldisk

import (
	"errors"
	"fmt"
	"syscall"
)

func (d *Disk) mount(bytes int) {
	d.t.Helper()
	err := syscall.Mount("smalldisk", d.Path, "tmpfs", 0, size(bytes))
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENODEV) {
		d.t.Skip("a disk of its own cannot be mounted here: ", err)
	}
	if err != nil {
		d.t.Fatal("smalldisk: mount: ", err)
	}
	// A file that a failed test left open must not keep the mount: it is detached.
	d.t.Cleanup(func() {
		if err := syscall.Unmount(d.Path, syscall.MNT_DETACH); err != nil {
			d.t.Error("smalldisk: unmount: ", err)
		}
	})
}

func (d *Disk) remount(bytes int, readOnly bool) {
	d.t.Helper()
	flags := uintptr(syscall.MS_REMOUNT)
	if readOnly {
		flags |= syscall.MS_RDONLY
	}
	if err := syscall.Mount("smalldisk", d.Path, "tmpfs", flags, size(bytes)); err != nil {
		d.t.Fatal("smalldisk: remount: ", err)
	}
}

func size(bytes int) string { return fmt.Sprintf("size=%d", bytes) }
