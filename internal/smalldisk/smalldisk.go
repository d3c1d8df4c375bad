// Package smalldisk gives a test a file system of its own that is soon full, or
// that cannot be written.
package smalldisk

import "testing"

// Disk is a file system in memory, gone when its test has ended.
type Disk struct {
	Path string
	t    testing.TB
}

// New makes a disk with room for so many bytes. The test is skipped where this
// system or this user cannot mount one.
func New(t testing.TB, bytes int) *Disk {
	t.Helper()
	d := &Disk{Path: t.TempDir(), t: t}
	d.mount(bytes)
	return d
}

// Resize changes the room of the disk.
func (d *Disk) Resize(bytes int) {
	d.t.Helper()
	d.remount(bytes, false)
}

// ReadOnly makes the disk one that root cannot write either. No file on it may be
// open for writing.
func (d *Disk) ReadOnly(bytes int) {
	d.t.Helper()
	d.remount(bytes, true)
}
