package mount

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"paceline/resources"
	"paceline/resources/native"

	"golang.org/x/sys/unix"
)

// Agent is the agent's name.
var Agent = resources.Agent{Class: "ocf", Provider: "paceline", Type: "mount"}

var meta = resources.MetaData{
	Name: "mount", AgentVersion: "1.0",
	ShortDesc: "Mounted file system",
	LongDesc: "Mounts a block device, a folder (bind), a tmpfs or an NFS export by mount(2). Stop ends the processes that use it only as far as " +
		"force_unmount allows, and never unmounts lazily. The loss of the mount is seen at once.",
	Parameters: []resources.Parameter{
		{Name: "device", Required: true, ShortDesc: "Block device, LABEL=..., UUID=..., folder (with option bind), host:/export, or none"},
		{Name: "directory", Required: true, Unique: true, ShortDesc: "Folder to mount on; it is made if missing"},
		{Name: "fstype", ShortDesc: "Kind of file system; found out for ext, xfs and btrfs if not set"},
		{Name: "options", ShortDesc: "Mount options, as in fstab"},
		{Name: "fsck", Type: "boolean", Default: "no", ShortDesc: "Check the file system of a block device before it is mounted, and repair what is safe to repair"},
		{
			Name: "force_unmount", Type: "select", Default: "yes", Values: []string{"yes", "safe", "no"},
			ShortDesc: "What to do with processes that keep it busy: yes ends them by TERM and then KILL, safe by TERM only, no lets the stop fail",
		},
	},
	Actions: []resources.Action{
		{Name: resources.Start, Timeout: 60 * time.Second},
		{Name: resources.Stop, Timeout: 60 * time.Second},
		{Name: resources.Monitor, Timeout: 40 * time.Second, Interval: 20 * time.Second},
		{Name: resources.ValidateAll, Timeout: 5 * time.Second},
		{Name: resources.MetaDataOp, Timeout: 5 * time.Second},
	},
}

type settings struct {
	device, directory, fstype string
	options                   options
	force                     string
	fsck                      bool
}

// read makes settings of a request. It looks at the configuration alone; devices are looked up by start.
func read(req resources.Request) (settings, resources.Result) {
	v := resources.NewValues(&meta, req.Params)
	s := settings{
		device: v.String("device"), directory: v.String("directory"), fstype: v.String("fstype"),
		options: parseOptions(v.String("options")), force: v.Select("force_unmount"),
		fsck: v.Bool("fsck"),
	}
	if !filepath.IsAbs(s.directory) && v.Err() == nil {
		v.Failf("directory", "%q is not an absolute path", s.directory)
	}
	if s.directory = filepath.Clean(s.directory); s.directory == "/" {
		v.Failf("directory", "%q is where the system itself is", s.directory)
	}
	if s.bind() && !filepath.IsAbs(s.device) {
		v.Failf("device", "%q is not the absolute path of a folder to bind", s.device)
	}
	if s.bind() {
		s.fstype = "none"
	}
	if s.nfs() && s.fstype == "" {
		s.fstype = "nfs4"
	}
	if v.Err() != nil {
		return s, resources.Errorf(resources.NotConfigured, "%v", v.Err())
	}
	return s, resources.Result{}
}

func (s settings) bind() bool { return s.options.flags&unix.MS_BIND != 0 }

func (s settings) nfs() bool {
	return strings.HasPrefix(s.fstype, "nfs") || s.fstype == "" && strings.Contains(s.device, ":/")
}

// virtual says whether there is no device behind the file system.
func (s settings) virtual() bool {
	return s.fstype == "tmpfs" || s.device == "none" || s.device == "tmpfs"
}

// source finds what LABEL= and UUID= stand for. The path may be missing.
func (s settings) source() string {
	for prefix, dir := range map[string]string{
		"LABEL=": "label", "UUID=": "uuid", "PARTLABEL=": "partlabel", "PARTUUID=": "partuuid",
	} {
		if name, ok := strings.CutPrefix(s.device, prefix); ok {
			return filepath.Join("/dev/disk/by-"+dir, udevEscape(strings.Trim(name, `"`)))
		}
	}
	return s.device
}

// udevEscape writes a label as udev does in its links: what is not plain becomes \xHH.
func udevEscape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("#+-.:=@_", c) >= 0 || c >= 0x80 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}

// prepare finds out what mount(2) has to be told: the device's path, the kind of file system, the data.
func (s *settings) prepare(ctx context.Context) (source string, res resources.Result) {
	source = s.source()
	switch {
	case s.virtual():
		if s.fstype == "" {
			s.fstype = "tmpfs"
		}
		return source, res
	case s.nfs():
		if err := s.address(ctx); err != nil {
			return "", resources.Errorf(resources.GenericError, "mount %s: %v", s.device, err)
		}
		return source, res
	case s.bind():
		if _, err := os.Stat(source); err != nil {
			return "", resources.Errorf(resources.InvalidArgument, "there is no %s to bind on this node", source)
		}
		return source, res
	}
	path, err := filepath.EvalSymlinks(source)
	if kind, name, ok := strings.Cut(s.device, "="); err != nil && ok && (kind == "LABEL" || kind == "UUID") {
		if path = identified(strings.ToLower(kind), strings.Trim(name, `"`)); path != "" {
			err = nil
		}
	}
	if err != nil {
		return "", resources.Errorf(resources.NotInstalled, "device %s is not on this node", s.device)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode()&os.ModeDevice == 0 || info.Mode()&os.ModeCharDevice != 0 {
		return "", resources.Errorf(resources.InvalidArgument, "%s is no block device (to mount a folder, set option bind)", path)
	}
	if s.fstype == "" || s.fstype == "auto" {
		if s.fstype, err = recognize(path); err != nil {
			return "", resources.Errorf(resources.InvalidArgument, "find out the file system of %s: %v", s.device, err)
		}
	}
	if s.fsck {
		return path, check(ctx, path, s.fstype)
	}
	return path, res
}

// magics are where the usual file systems say what they are.
var magics = []struct {
	name   string
	offset int64
	magic  []byte
}{
	{"xfs", 0, []byte("XFSB")},
	{"btrfs", 0x10040, []byte("_BHRfS_M")},
	{"ext4", 0x438, []byte{0x53, 0xef}}, // the driver of ext4 serves ext2 and ext3 too
	{"squashfs", 0, []byte("hsqs")},
	{"gfs2", 0x10000, []byte{0x01, 0x16, 0x19, 0x70}},
}

func recognize(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for _, m := range magics {
		b := make([]byte, len(m.magic))
		if _, err := f.ReadAt(b, m.offset); err == nil && string(b) == string(m.magic) {
			return m.name, nil
		}
	}
	return "", errors.New("it is none of ext, xfs, btrfs, squashfs, gfs2: set fstype")
}

// address resolves the server of an NFS export, as the kernel does not: it wants addr=, and for version 4 knows the rest itself.
func (s *settings) address(ctx context.Context) error {
	if _, ok := s.options.value("addr"); !ok {
		host, _, _ := strings.Cut(s.device, ":/")
		host = strings.Trim(host, "[]")
		native.Doing(ctx, "resolving %s", host)
		ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
		if err != nil {
			return err
		}
		if len(ips) == 0 {
			return fmt.Errorf("server %s has no address", host)
		}
		s.addData("addr=" + ips[0].String())
	}
	_, vers := s.options.value("vers")
	_, nfsvers := s.options.value("nfsvers")
	if !vers && !nfsvers && s.fstype == "nfs" {
		s.addData("vers=4.2")
	}
	return nil
}

func (s *settings) addData(opt string) {
	if s.options.data != "" {
		s.options.data += ","
	}
	s.options.data += opt
}

// deviceNumber is a block device's major:minor as the mount table writes it.
func deviceNumber(path string) (string, bool) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return "", false
	}
	return fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)), true
}
