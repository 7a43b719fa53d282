package lab

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ownDirs are the top-level directories that a node has for itself, on its disk. The rest is the host's, read-only.
var ownDirs = []string{"etc", "var", "srv", "mnt", "media", "home", "root"}

// sharedEtc are directories of /etc, with hundreds of links each, that a node has from the host: copying them took
// longer than booting.
var sharedEtc = []string{"alternatives", "ssl", "fonts"}

// rootMount is where, below a node's directory, its root is mounted: in its own mount namespace only.
const rootMount = ".root"

// buildRoot makes a node's root below b.Disk, and makes it this process's. It runs as the first process of the
// node, in its own mount namespace, so that all of it goes with the node.
func buildRoot(b bootOrder) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	root := filepath.Join(b.Disk, rootMount)
	if err := mountAt("tmpfs", root, "tmpfs", 0, "mode=755,size=16m"); err != nil {
		return err
	}
	if err := mirrorHost(root); err != nil {
		return err
	}
	for _, d := range ownDirs {
		if err := bind(filepath.Join(b.Disk, d), filepath.Join(root, d)); err != nil {
			return err
		}
	}
	for _, d := range sharedEtc {
		if _, err := os.Stat("/etc/" + d); err == nil {
			if err := bind("/etc/"+d, filepath.Join(root, "etc", d)); err != nil {
				return err
			}
		}
	}
	steps := []func() error{
		func() error { return mountAt("proc", root+"/proc", "proc", nosuid, "") },
		func() error { return mountSys(root + "/sys") },
		func() error {
			return mountAt("tmpfs", root+"/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=256m")
		},
		func() error {
			return mountAt("tmpfs", root+"/tmp", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,size=256m")
		},
		func() error { return mountDev(root + "/dev") },
		func() error { return mountLab(root, b) },
		func() error { return mountAgents(root, b) },
		func() error { return os.MkdirAll(root+"/run/lock", 0o1777) },
		func() error { return pivot(root) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

const nosuid = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// mirrorHost gives the new root what the host has at its top: links as they are, directories of programs bound
// read-only.
func mirrorHost(root string) error {
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		from, to := "/"+e.Name(), filepath.Join(root, e.Name())
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			dest, err := os.Readlink(from)
			if err != nil {
				return err
			}
			if err := os.Symlink(dest, to); err != nil {
				return err
			}
		case e.IsDir() && (e.Name() == "usr" || e.Name() == "opt" || e.Name() == "bin" || e.Name() == "sbin" || strings.HasPrefix(e.Name(), "lib")):
			if err := bind(from, to); err != nil {
				return err
			}
			// What is mounted below stays as it is; a user namespace may refuse, and the host's own rights then protect it.
			_ = unix.Mount("", to, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
		}
	}
	return nil
}

func mountAt(what, where, kind string, flags uintptr, options string) error {
	if err := os.MkdirAll(where, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(what, where, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s at %s: %w", kind, where, err)
	}
	return nil
}

// bind binds a file or a directory with what is mounted below it.
func bind(from, to string) error {
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	if st.IsDir() {
		err = os.MkdirAll(to, 0o755)
	} else {
		err = touch(to)
	}
	if err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s to %s: %w", from, to, err)
	}
	return nil
}

func touch(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// mountSys mounts a sysfs that shows the node's own network, and the node's own cgroups in it.
func mountSys(where string) error {
	if err := mountAt("sysfs", where, "sysfs", nosuid, ""); err != nil {
		return bind("/sys", where) // a user namespace whose host hides parts of /sys may not mount its own
	}
	if err := unix.Mount("cgroup2", where+"/fs/cgroup", "cgroup2", nosuid, ""); err != nil && !InUserNamespace() {
		return fmt.Errorf("mount the node's cgroups: %w", err)
	}
	return nil
}

// devices are the host's device nodes that a node sees.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty", "fuse", "net/tun"}

func mountDev(where string) error {
	if err := mountAt("tmpfs", where, "tmpfs", unix.MS_NOSUID, "mode=755,size=1m"); err != nil {
		return err
	}
	for _, d := range devices {
		if _, err := os.Stat("/dev/" + d); err != nil {
			continue
		}
		if err := bind("/dev/"+d, filepath.Join(where, d)); err != nil {
			return err
		}
	}
	if err := mountAt("tmpfs", where+"/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,size=64m"); err != nil {
		return err
	}
	if err := mountAt("devpts", where+"/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620"); err != nil {
		return err
	}
	links := map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
	for name, dest := range links {
		if err := os.Symlink(dest, filepath.Join(where, name)); err != nil {
			return err
		}
	}
	return nil
}

// agentsDir is where OCF agents are, by provider.
const agentsDir = "/usr/lib/ocf/resource.d"

// mountAgents adds the provider "lab", whose agents are in the lab's shared directory, to the host's OCF agents. A host
// without any is left so: there is nowhere to mount them.
func mountAgents(root string, b bootOrder) error {
	providers, err := os.ReadDir(agentsDir)
	if err != nil {
		return nil
	}
	if err := mountAt("tmpfs", root+agentsDir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=1m"); err != nil {
		return err
	}
	for _, p := range providers {
		if p.IsDir() {
			if err := bind(filepath.Join(agentsDir, p.Name()), filepath.Join(root, agentsDir, p.Name())); err != nil {
				return err
			}
		}
	}
	return bind(filepath.Join(b.Shared, "agents"), filepath.Join(root, agentsDir, "lab"))
}

// mountLab mounts what only a lab has: programs, shared storage, the power switch.
func mountLab(root string, b bootOrder) error {
	if b.Bin != "" {
		if err := bind(b.Bin, root+"/lab/bin"); err != nil {
			return err
		}
	}
	if err := bind(b.Shared, root+"/lab/shared"); err != nil {
		return err
	}
	if b.Power != "" {
		if err := bind(b.Power, root+PowerSocket); err != nil {
			return err
		}
	}
	if b.Notify != "" {
		if err := bind(b.Notify, root+notifySocket); err != nil {
			return err
		}
	}
	if b.DiskSize != "" {
		return mountAt("tmpfs", root+"/var/lib/paceline", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=700,size="+b.DiskSize)
	}
	return nil
}

// pivot makes root the root and lets the host's go.
func pivot(root string) error {
	old := filepath.Join(root, ".host")
	if err := os.Mkdir(old, 0o700); err != nil {
		return err
	}
	if err := unix.PivotRoot(root, old); err != nil {
		return fmt.Errorf("pivot to the node's root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/.host", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let the host's root go: %w", err)
	}
	return os.Remove("/.host")
}

// copyTree copies directories, small files and links; what may not be read, and what skip names, is left out. It is
// for /etc: a node's own, that a test may change.
func copyTree(from, to string, skip func(rel string) bool) error {
	const sizeMax = 1 << 20
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(from, path)
		if err != nil {
			if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
				return fs.SkipDir
			}
			return err
		}
		dest := filepath.Join(to, rel)
		if rel != "." && skip(rel) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		switch {
		case e.IsDir():
			return os.MkdirAll(dest, 0o755)
		case e.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, dest)
		case e.Type().IsRegular():
			st, err := e.Info()
			if err != nil || st.Size() > sizeMax {
				return nil
			}
			return copyFile(path, dest, st.Mode().Perm())
		}
		return nil
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	r, err := os.Open(from)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close())
}
