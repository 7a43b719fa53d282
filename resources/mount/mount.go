package mount

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"paceline/resources"
	"paceline/resources/native"
	"paceline/resources/procfs"

	"golang.org/x/sys/unix"
)

// Config is how the agent runs.
type Config struct {
	Logger *slog.Logger // nil: none
}

// Runner is the agent.
type Runner struct {
	*native.Agent
	log    *slog.Logger
	table  view
	events events
}

// New makes the agent.
func New(c Config) *Runner {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Runner{log: c.Logger}
	r.table.keep = tableKept
	r.events.table = &r.table
	r.Agent = &native.Agent{
		Meta: meta,
		Operations: map[string]native.Operation{
			resources.Start: r.start, resources.Stop: r.stop, resources.Monitor: r.monitor,
		},
		Validate: func(_ context.Context, req resources.Request) resources.Result {
			_, res := read(req)
			return res
		},
	}
	return r
}

// real is a folder's name as the mount table has it. A folder that cannot be looked up (a dead server) keeps its name.
func real(dir string) string {
	parent, err := filepath.EvalSymlinks(filepath.Dir(dir)) // not of the folder itself: that would ask the file system
	if err != nil {
		return dir
	}
	full := filepath.Join(parent, filepath.Base(dir))
	if info, err := os.Lstat(full); err == nil && info.Mode()&os.ModeSymlink != 0 {
		if to, err := filepath.EvalSymlinks(full); err == nil {
			return to
		}
	}
	return full
}

// mounted returns what is on the folder now.
func (s settings) mounted(v *view) (all []entry, here []entry, err error) {
	now, err := v.now()
	if err != nil {
		return nil, nil, err
	}
	return now.all, now.at[real(s.directory)], nil
}

// wrong says why the uppermost mount is not the one that was asked for, or "".
func (s settings) wrong(all []entry, e entry) string {
	switch {
	case s.bind():
		// The same file system, and the right part of it.
		if n, root, ok := part(all, real(s.device)); ok && (n != e.device || root != e.root) {
			return fmt.Sprintf("%s has %s of device %s mounted, not %s", e.point, e.root, e.device, s.device)
		}
	case s.virtual():
		if want := s.fstype; want != "" && e.fstype != want {
			return fmt.Sprintf("%s has a %s mounted, not a %s", e.point, e.fstype, want)
		}
	case s.nfs():
		if strings.TrimSuffix(e.source, "/") != strings.TrimSuffix(s.device, "/") {
			return fmt.Sprintf("%s has %s mounted, not %s", e.point, e.source, s.device)
		}
	default:
		path := s.source()
		n, ok := deviceNumber(path)
		// btrfs shows an anonymous number: there the name must do.
		if ok && n != e.device && !sameDevice(e.source, n) {
			return fmt.Sprintf("%s has %s mounted, not %s", e.point, e.source, s.device)
		}
	}
	return ""
}

func sameDevice(source, number string) bool {
	n, ok := deviceNumber(source)
	return ok && n == number
}

// part says on which device, and where in its file system, a folder is.
func part(all []entry, dir string) (device, root string, ok bool) {
	best := -1
	for i, e := range all {
		if (dir == e.point || strings.HasPrefix(dir, strings.TrimSuffix(e.point, "/")+"/")) &&
			(best < 0 || len(e.point) >= len(all[best].point)) {
			best = i
		}
	}
	if best < 0 {
		return "", "", false
	}
	e := all[best]
	return e.device, filepath.Join(e.root, strings.TrimPrefix(dir, e.point)), true
}

func (r *Runner) monitor(ctx context.Context, req resources.Request) resources.Result {
	s, res := read(req)
	if res.Code != resources.OK {
		return res
	}
	all, here, err := s.mounted(&r.table)
	if err != nil {
		return resources.Errorf(resources.GenericError, "%v", err)
	}
	if len(here) == 0 {
		return resources.Result{Code: resources.NotRunning}
	}
	e := here[len(here)-1]
	if why := s.wrong(all, e); why != "" {
		return resources.Errorf(resources.GenericError, "%s", why)
	}
	if req.Interval > 0 {
		native.Doing(ctx, "looking at %s", e.point)
		switch why, err := s.broken(&r.table, e); {
		case err != nil:
			return resources.Errorf(resources.GenericError, "%v", err)
		case why != "":
			return resources.Errorf(resources.GenericError, "%s", why)
		}
	}
	return resources.Result{}
}

func (r *Runner) start(ctx context.Context, req resources.Request) resources.Result {
	s, res := read(req)
	if res.Code != resources.OK {
		return res
	}
	all, here, err := s.mounted(&r.table)
	if err != nil {
		return resources.Errorf(resources.GenericError, "%v", err)
	}
	if len(here) > 0 {
		if why := s.wrong(all, here[len(here)-1]); why != "" {
			return resources.Errorf(resources.GenericError, "%s", why)
		}
		return resources.Result{}
	}
	source, res := s.prepare(ctx)
	if res.Code != resources.OK {
		return res
	}
	if err := os.MkdirAll(s.directory, 0o755); err != nil {
		return resources.Errorf(resources.GenericError, "make the folder to mount on: %v", err)
	}
	native.Doing(ctx, "mounting %s on %s", source, s.directory)
	if err := s.mount(source); err != nil {
		return s.refused(source, err)
	}
	return resources.Result{}
}

// mount calls mount(2) as often as the options need.
func (s settings) mount(source string) error {
	if err := unix.Mount(source, s.directory, s.fstype, s.options.flags, s.options.data); err != nil {
		return err
	}
	later := slices.Clone(s.options.after)
	if extra := s.options.flags &^ (unix.MS_BIND | unix.MS_REC | unix.MS_SILENT); s.bind() && extra != 0 {
		later = append(later, unix.MS_REMOUNT|unix.MS_BIND|extra) // a bind takes other flags only on a second call
	}
	for _, f := range later {
		if err := unix.Mount("none", s.directory, "", f, ""); err != nil {
			return errors.Join(err, unix.Unmount(s.directory, 0))
		}
	}
	return nil
}

// refused explains an error of mount(2).
func (s settings) refused(source string, err error) resources.Result {
	what := fmt.Sprintf("mount %s on %s as %s", s.device, s.directory, s.fstype)
	switch {
	case errors.Is(err, unix.ENODEV):
		return resources.Errorf(resources.NotInstalled, "%s: this kernel knows no file system %q", what, s.fstype)
	case errors.Is(err, unix.EPERM):
		return resources.Errorf(resources.InsufficientPriv, "%s: needs root (CAP_SYS_ADMIN)", what)
	case errors.Is(err, unix.EINVAL):
		return resources.Errorf(resources.GenericError, "%s: the kernel finds no such file system on it, or refuses an option (options are %q)",
			what, s.options.data)
	case errors.Is(err, unix.EBUSY):
		return resources.Errorf(resources.GenericError, "%s: the device or the folder is in use", what)
	case errors.Is(err, unix.EROFS):
		return resources.Errorf(resources.GenericError, "%s: the device %s is read-only (option ro would take it so)", what, source)
	}
	return resources.Errorf(resources.GenericError, "%s: %v", what, err)
}

func (r *Runner) stop(ctx context.Context, req resources.Request) resources.Result {
	s, res := read(req)
	if res.Code != resources.OK {
		// A stop that fails costs the node, so only the folder matters; and where nothing can be mounted, nothing is.
		if !filepath.IsAbs(s.directory) || s.directory == "/" {
			return resources.Result{}
		}
		if s.force != "no" && s.force != "safe" {
			s.force = "yes"
		}
	}
	device, source := "", "" // of the file system that we unmount
	for {
		all, here, err := s.mounted(&r.table)
		if err != nil {
			return resources.Errorf(resources.GenericError, "%v", err)
		}
		if len(here) == 0 {
			break
		}
		for _, e := range append(below(all, real(s.directory)), here[len(here)-1]) {
			if res := r.unmount(ctx, req, s, e); res.Code != resources.OK {
				return res
			}
		}
		device, source = here[len(here)-1].device, here[len(here)-1].source
	}
	for _, path := range []string{s.source(), source} { // a label may have no link
		if n, ok := deviceNumber(path); ok && device != "" && !s.bind() {
			return released(ctx, path, n)
		}
	}
	return resources.Result{}
}

// unmount takes one mount away, and ends who keeps it busy as far as allowed.
func (r *Runner) unmount(ctx context.Context, req resources.Request, s settings, e entry) resources.Result {
	native.Doing(ctx, "unmounting %s", e.point)
	ctx, cancel := early(ctx)
	defer cancel()
	var kill time.Time
	last := false // the time is up: this attempt is the last one
	signalled := map[procfs.ID]bool{}
	var us []user
	for {
		err := unix.Unmount(e.point, unix.UMOUNT_NOFOLLOW)
		switch {
		case err == nil, errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT): // gone already
			return resources.Result{}
		case errors.Is(err, unix.EPERM):
			return resources.Errorf(resources.InsufficientPriv, "unmount %s: needs root (CAP_SYS_ADMIN)", e.point)
		case !errors.Is(err, unix.EBUSY):
			return resources.Errorf(resources.GenericError, "unmount %s: %v", e.point, err)
		}
		if last {
			by := "the kernel itself (a loop device, a swap file, an export, another mount on it)"
			if len(us) > 0 {
				by = name(us)
			}
			res := resources.Errorf(resources.GenericError, "unmount %s: still in use by %s", e.point, by)
			res.TimedOut = true
			return res
		}
		looked := time.Now()
		us, err = users(e.id, e.device)
		if err != nil {
			return resources.Errorf(resources.GenericError, "unmount %s: it is in use, and by whom cannot be found: %v", e.point, err)
		}
		if s.force == "no" && len(us) > 0 {
			return resources.Errorf(resources.GenericError, "%s is in use by %s (force_unmount=no lets it be)", e.point, name(us))
		}
		if len(us) > 0 { // on a starved machine the next look may not end in time; then this one counts
			native.Doing(ctx, "unmounting %s, which is in use by %s", e.point, name(us))
		}
		if kill.IsZero() {
			kill = killTime(ctx)
		}
		killed := false
		for _, u := range us {
			sig := unix.SIGTERM
			if s.force == "yes" && !time.Now().Before(kill) {
				sig = unix.SIGKILL
			} else if signalled[u.ID] {
				continue
			}
			r.log.Warn("end a process that keeps a mount busy", "res", req.Resource, "mount", e.point, "process", u.String(),
				"signal", unix.SignalName(sig))
			if u.PID == 1 {
				continue // the system itself: it is named, never ended
			}
			signalled[u.ID], killed = true, killed || sig == unix.SIGKILL
			if err := u.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return resources.Errorf(resources.InsufficientPriv, "end %s, which uses %s: %v", u, e.point, err)
			}
		}
		pause := max(retryPause, time.Since(looked)) // to look costs where there are many processes: half the time at most
		if killed {
			pause = retryPause
		}
		select {
		case <-ctx.Done():
			if last = true; killed {
				time.Sleep(lastWords / 2) // what was killed this moment is about to let go
			}
		case <-time.After(pause):
		}
	}
}

// early ends a little before ctx does, so that there is time left to say who was in the way.
func early(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-min(lastWords, time.Until(end)/4)))
}

// killTime is when TERM has had its time: after termGrace, or half of what is left.
func killTime(ctx context.Context) time.Time {
	grace := termGrace
	if end, ok := ctx.Deadline(); ok {
		grace = min(grace, time.Until(end)/2)
	}
	return time.Now().Add(grace)
}

func name(us []user) string {
	var out []string
	for _, u := range us[:min(len(us), namedMax)] {
		out = append(out, u.String())
	}
	if n := len(us) - namedMax; n > 0 {
		out = append(out, fmt.Sprintf("%d more", n))
	}
	return strings.Join(out, ", ")
}

// released waits until no mount of the device is left on this node. The kernel refuses an exclusive open as long as a file
// system has the device, in whatever mount namespace.
func released(ctx context.Context, path, number string) resources.Result {
	native.Doing(ctx, "waiting for %s to be free", path)
	ctx, cancel := context.WithTimeout(ctx, freeGrace)
	defer cancel()
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_EXCL|unix.O_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
			return resources.Result{}
		}
		if !errors.Is(err, unix.EBUSY) { // it went away: it cannot be mounted any more either
			return resources.Result{}
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryPause):
			continue
		}
		if u, ok := elsewhere(number); ok {
			return resources.Errorf(resources.GenericError, "%s is unmounted here, but in use in the mount namespace of %s", path, u)
		}
		return resources.Errorf(resources.GenericError, "%s is unmounted, but the kernel still has it in use", path)
	}
}
