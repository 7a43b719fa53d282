package mount

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"paceline/resources"
	"paceline/resources/native"

	"golang.org/x/sys/unix"
)

// superblocks are where the usual file systems keep their label and UUID.
var superblocks = []struct {
	fstype              string // its magic is in magics
	uuid, label, labels int64  // offsets, and the length of the label
}{
	{"xfs", 32, 108, 12},
	{"btrfs", 0x10020, 0x1012b, 256},
	{"ext4", 0x468, 0x478, 16},
}

// identified finds the block device whose file system has a label or UUID, by looking at all of them: for machines without udev, whose
// links in /dev/disk say the same sooner. It returns "" where there is none, and where there are two: nobody can tell which is meant.
func identified(kind, value string) string {
	names, err := os.ReadDir("/sys/class/block")
	if err != nil {
		return ""
	}
	found := ""
	for _, n := range names {
		path := "/dev/" + strings.ReplaceAll(n.Name(), "!", "/") // sysfs has no slash in names
		if !bears(path, kind, value) {
			continue
		}
		if found != "" {
			return ""
		}
		found = path
	}
	return found
}

// bears says whether a device's file system has that label or UUID.
func bears(path, kind, value string) bool {
	fstype, err := recognize(path)
	if err != nil {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	for _, s := range superblocks {
		if s.fstype != fstype {
			continue
		}
		if kind == "uuid" {
			b := make([]byte, 16)
			_, err := f.ReadAt(b, s.uuid)
			return err == nil && strings.EqualFold(hex.EncodeToString(b), strings.ReplaceAll(value, "-", ""))
		}
		b := make([]byte, s.labels)
		if _, err := f.ReadAt(b, s.label); err != nil && err != io.EOF {
			return false
		}
		label, _, _ := bytes.Cut(b, []byte{0})
		return string(label) == value
	}
	return false
}

// check repairs a file system before it is mounted, as far as that is safe without a person: what fsck calls preening.
func check(ctx context.Context, path, fstype string) resources.Result {
	var program string
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if p := filepath.Join(dir, "fsck."+fstype); program == "" && unix.Access(p, unix.X_OK) == nil {
			program = p
		}
	}
	if program == "" {
		return resources.Errorf(resources.NotInstalled, "fsck.%s is not installed on this node (parameter fsck asks for it)", fstype)
	}
	native.Doing(ctx, "checking %s with %s", path, program)
	cmd := exec.CommandContext(ctx, program, "-a", path)
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) } // it stops at a place where it can
	cmd.WaitDelay = checkGrace
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	out, err := cmd.CombinedOutput()
	tail := resources.CleanText(string(out[max(0, len(out)-resources.OutputMax):]), resources.OutputMax, true)
	var ended *exec.ExitError
	switch {
	case err == nil:
		return resources.Result{Output: tail}
	case ctx.Err() != nil:
		return resources.Errorf(resources.GenericError, "the check of %s is not done in time: give the start a longer time-out", path)
	case !errors.As(err, &ended) || ended.ExitCode() < 0:
		return resources.Errorf(resources.GenericError, "check %s: %v", path, err)
	}
	// fsck(8): 1 and 2 are what was repaired; from 4 on something was not.
	if code := ended.ExitCode(); code >= 4 {
		last := strings.TrimSpace(tail)
		res := resources.Errorf(resources.GenericError, "%s has errors that its check may not repair by itself (exit status %d): %s", path, code, last[strings.LastIndexByte(last, '\n')+1:])
		res.Reason += fmt.Sprintf("; let a person run fsck.%s %s", fstype, path)
		res.Output = tail
		return res
	}
	return resources.Result{Output: tail}
}
