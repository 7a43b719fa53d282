package sbd

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Medium is a device as its user sees it: blocks of BlockSize. An error names the device. A call may take as long as it likes.
type Medium interface {
	Name() string
	Read(block, count int) ([]byte, error)
	Write(block int, data []byte) error
}

// disk is a block device, or a file that stands in for one. It is opened anew for every use, so that a device that was lost and is back
// under its name is found again. Nothing is read from or left in this machine's memory: other machines write there, too.
type disk struct{ path string }

// Open returns the device of that path. Nothing is touched before it is used.
func Open(path string) Medium { return disk{path} }

func (d disk) Name() string { return d.path }

func (d disk) Read(block, count int) ([]byte, error) {
	out := make([]byte, count*BlockSize)
	err := d.with(unix.O_RDONLY, len(out), func(f *os.File, direct []byte) error {
		_, err := io.ReadFull(io.NewSectionReader(f, int64(block)*BlockSize, int64(len(direct))), direct)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%s is shorter than %d bytes", d.path, Size)
		}
		copy(out, direct)
		return err
	})
	return out, err
}

func (d disk) Write(block int, data []byte) error {
	return d.with(unix.O_WRONLY, len(data), func(f *os.File, direct []byte) error {
		copy(direct, data)
		_, err := f.WriteAt(direct, int64(block)*BlockSize)
		return err
	})
}

// with opens the device for one use, with memory of that size that lies as direct input and output wants it. A file system that cannot
// do that is taken only for plain files, which are for tests.
func (d disk) with(mode, size int, use func(f *os.File, direct []byte) error) error {
	const sync = unix.O_SYNC | unix.O_CLOEXEC
	f, err := os.OpenFile(d.path, mode|sync|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) {
		if st, e := os.Stat(d.path); e == nil && st.Mode().IsRegular() {
			f, err = os.OpenFile(d.path, mode|sync, 0)
		}
	}
	if err != nil {
		return err
	}
	direct, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err == nil {
		err = errors.Join(use(f, direct), unix.Munmap(direct))
	}
	return errors.Join(err, f.Close())
}
