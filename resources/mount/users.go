package mount

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"paceline/resources/procfs"

	"golang.org/x/sys/unix"
)

// user is a process that keeps a mount busy, and how.
type user struct {
	procfs.Process
	how string // "its working directory", "open file", ...
}

func (u user) String() string {
	return fmt.Sprintf("%s (pid %d, %s)", u.Command(60), u.PID, u.how)
}

// users finds the processes that keep a mount busy. Files are compared by the mount they were opened through, which is exact where
// names and device numbers are not: bind mounts of one file system, other mount namespaces, deleted files. Looking asks the
// kernel only, never a server that may be dead.
func users(mountID int, device string) ([]user, error) {
	ps, err := procfs.List()
	if err != nil {
		return nil, err
	}
	self := os.Getpid()
	var out []user
	for _, p := range ps {
		if p.PID == self || p.Ended() {
			continue
		}
		if how := uses(p.PID, mountID, device); how != "" {
			out = append(out, user{p, how})
		}
	}
	return out, nil
}

func uses(pid, mountID int, device string) string {
	dir := "/proc/" + strconv.Itoa(pid)
	for _, l := range []struct{ name, how string }{
		{"cwd", "its working directory"}, {"root", "its root"}, {"exe", "its program"},
	} {
		if mountOf(dir+"/"+l.name) == mountID {
			return l.how
		}
	}
	if fds, err := os.Open(dir + "/fdinfo"); err == nil {
		names, _ := fds.Readdirnames(linksMax)
		fds.Close()
		for _, n := range names {
			if fdMount(dir+"/fdinfo/"+n) == mountID {
				name, _ := os.Readlink(dir + "/fd/" + n)
				return "open file " + name
			}
		}
	}
	return maps(dir, mountID, device)
}

// mountOf says through which mount a link in /proc leads; 0 if that cannot be known.
func mountOf(link string) int {
	var st unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, link, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_MNT_ID, &st) != nil ||
		st.Mask&unix.STATX_MNT_ID == 0 {
		return 0
	}
	return int(st.Mnt_id)
}

func fdMount(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if v, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(v))
			return n
		}
	}
	return 0
}

// maps looks for memory that is mapped from the mount: libraries and data of closed files. Most processes have none from
// this device, so the exact look is rare.
func maps(dir string, mountID int, device string) string {
	f, err := os.Open(dir + "/maps")
	if err != nil {
		return ""
	}
	defer f.Close()
	major, minor, _ := strings.Cut(device, ":")
	ma, _ := strconv.Atoi(major)
	mi, _ := strconv.Atoi(minor)
	want := fmt.Sprintf("%02x:%02x", ma, mi)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		w := strings.Fields(lines.Text())
		if len(w) >= 6 && w[3] == want && mountOf(dir+"/map_files/"+w[0]) == mountID {
			return "mapped file " + w[5]
		}
	}
	return ""
}

// elsewhere finds a process in whose mount namespace the device is still mounted.
func elsewhere(device string) (user, bool) {
	ps, err := procfs.List()
	if err != nil {
		return user{}, false
	}
	seen := map[string]bool{}
	for _, p := range ps {
		ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", p.PID))
		if err != nil || seen[ns] {
			continue
		}
		seen[ns] = true
		es, err := table(strconv.Itoa(p.PID))
		if err != nil {
			continue
		}
		for _, e := range es {
			if e.device == device {
				return user{p, "it has it mounted on " + e.point}, true
			}
		}
	}
	return user{}, false
}
