package mount

import (
	"strings"

	"golang.org/x/sys/unix"
)

// flag is what an option does to the flags of mount(2).
type flag struct {
	set, clear uintptr
}

var flags = map[string]flag{
	"defaults": {}, "rw": {clear: unix.MS_RDONLY}, "ro": {set: unix.MS_RDONLY},
	"suid": {clear: unix.MS_NOSUID}, "nosuid": {set: unix.MS_NOSUID},
	"dev": {clear: unix.MS_NODEV}, "nodev": {set: unix.MS_NODEV},
	"exec": {clear: unix.MS_NOEXEC}, "noexec": {set: unix.MS_NOEXEC},
	"async": {clear: unix.MS_SYNCHRONOUS}, "sync": {set: unix.MS_SYNCHRONOUS}, "dirsync": {set: unix.MS_DIRSYNC},
	"atime": {clear: unix.MS_NOATIME}, "noatime": {set: unix.MS_NOATIME},
	"diratime": {clear: unix.MS_NODIRATIME}, "nodiratime": {set: unix.MS_NODIRATIME},
	"relatime": {set: unix.MS_RELATIME}, "norelatime": {clear: unix.MS_RELATIME},
	"strictatime": {set: unix.MS_STRICTATIME}, "nostrictatime": {clear: unix.MS_STRICTATIME},
	"lazytime": {set: unix.MS_LAZYTIME}, "nolazytime": {clear: unix.MS_LAZYTIME},
	"mand": {set: unix.MS_MANDLOCK}, "nomand": {clear: unix.MS_MANDLOCK},
	"silent": {set: unix.MS_SILENT}, "loud": {clear: unix.MS_SILENT}, "iversion": {set: unix.MS_I_VERSION},
	"bind": {set: unix.MS_BIND}, "rbind": {set: unix.MS_BIND | unix.MS_REC},
}

// propagation flags need a mount(2) of their own, after the mount.
var propagation = map[string]uintptr{
	"shared": unix.MS_SHARED, "slave": unix.MS_SLAVE, "private": unix.MS_PRIVATE, "unbindable": unix.MS_UNBINDABLE,
	"rshared": unix.MS_SHARED | unix.MS_REC, "rslave": unix.MS_SLAVE | unix.MS_REC,
	"rprivate": unix.MS_PRIVATE | unix.MS_REC, "runbindable": unix.MS_UNBINDABLE | unix.MS_REC,
}

// ignored are options that only the mount command and fstab know.
var ignored = map[string]bool{
	"auto": true, "noauto": true, "user": true, "nouser": true, "users": true, "owner": true, "group": true, "nofail": true,
	"_netdev": true,
}

// options is an option string, sorted by what mount(2) wants.
type options struct {
	flags uintptr
	after []uintptr // propagation
	data  string    // for the file system
}

// parseOptions reads "ro,noexec,size=10m". What is no flag is the file system's business: it refuses what it does not know.
func parseOptions(s string) options {
	var o options
	var data []string
	for opt := range strings.SplitSeq(s, ",") {
		opt = strings.TrimSpace(opt)
		if f, ok := flags[opt]; ok {
			o.flags = o.flags&^f.clear | f.set
		} else if p, ok := propagation[opt]; ok {
			o.after = append(o.after, p)
		} else if opt != "" && !ignored[opt] && !strings.HasPrefix(opt, "x-") && !strings.HasPrefix(opt, "comment=") {
			data = append(data, opt)
		}
	}
	o.data = strings.Join(data, ",")
	return o
}

// value returns the value of a key=value option of the data.
func (o options) value(key string) (string, bool) {
	for opt := range strings.SplitSeq(o.data, ",") {
		if k, v, ok := strings.Cut(opt, "="); ok && k == key {
			return v, true
		}
	}
	return "", false
}
