package nstest

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ShutDown makes the kernel give up the file system (ext4 or XFS) that is mounted on a folder, without writing what is not written yet:
// what it does itself when the device is pulled out.
func ShutDown(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	const goingDown, noLogFlush = 0x8004587d, 2 // XFS_IOC_GOINGDOWN and its flag of xfs_fs.h, which ext4 takes as well
	if err := unix.IoctlSetPointerInt(int(f.Fd()), goingDown, noLogFlush); err != nil {
		return fmt.Errorf("shut down %s: %w", dir, err)
	}
	return nil
}
