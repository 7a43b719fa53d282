package watchdog

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// device is a timer of the kernel's watchdog interface (Documentation/watchdog/watchdog-api.rst).
type device struct {
	f       *os.File
	timeout time.Duration
}

func openDevice(path string, timeout, pretimeout time.Duration) (_ *device, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("open watchdog %s: another program feeds it (systemd's RuntimeWatchdogSec, or another cluster's daemon): %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open watchdog: %w; a machine without hardware timer may load softdog, which is better than nothing", err)
	}
	d := &device{f: f}
	defer func() {
		if err != nil { // the timer counts since it was opened: one that cannot be used must not end the machine
			_ = d.Close(true)
		}
	}()
	fd := int(f.Fd())
	info, err := unix.IoctlGetWatchdogInfo(fd)
	if err != nil {
		return nil, fmt.Errorf("open watchdog %s: it is none: %w", path, err)
	}
	if info.Options&unix.WDIOF_MAGICCLOSE == 0 {
		return nil, fmt.Errorf("open watchdog %s: it cannot be disarmed in good order (no magic close), so every stop of the daemon would reset the machine", path)
	}
	if info.Options&unix.WDIOF_SETTIMEOUT != 0 {
		if err := unix.IoctlSetPointerInt(fd, unix.WDIOC_SETTIMEOUT, int((timeout+time.Second-1)/time.Second)); err != nil {
			return nil, fmt.Errorf("set the time-out of watchdog %s to %v: %w", path, timeout, err)
		}
	}
	if pretimeout > 0 {
		if info.Options&unix.WDIOF_PRETIMEOUT == 0 {
			return nil, fmt.Errorf("set the pretimeout of watchdog %s: it has none", path)
		}
		if err := unix.IoctlSetPointerInt(fd, unix.WDIOC_SETPRETIMEOUT, int(pretimeout/time.Second)); err != nil {
			return nil, fmt.Errorf("set the pretimeout of watchdog %s to %v: %w", path, pretimeout, err)
		}
	}
	seconds, err := unix.IoctlGetInt(fd, unix.WDIOC_GETTIMEOUT)
	if err != nil {
		return nil, fmt.Errorf("ask watchdog %s for its time-out: %w", path, err)
	}
	if seconds < 1 {
		return nil, fmt.Errorf("watchdog %s does not say what it counts to", path)
	}
	if d.timeout = time.Duration(seconds) * time.Second; d.timeout > timeout+time.Second {
		return nil, fmt.Errorf("watchdog %s counts to %v whatever it is told, not to %v: set the time-out to that", path, d.timeout, timeout)
	}
	return d, d.Feed()
}

func (d *device) Feed() error {
	if err := unix.IoctlWatchdogKeepalive(int(d.f.Fd())); err != nil {
		return fmt.Errorf("feed watchdog %s: %w", d.f.Name(), err)
	}
	return nil
}

func (d *device) Timeout() time.Duration { return d.timeout }

// Reset restarts the machine at once, without writing anything back: what the timer would do a moment later.
func (d *device) Reset(string) error {
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART); err != nil {
		return fmt.Errorf("restart the machine: %w", err)
	}
	return nil
}

// Off powers the machine off at once, without writing anything back.
func (d *device) Off(string) error {
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		return fmt.Errorf("power the machine off: %w", err)
	}
	return nil
}

// Close disarms by the magic character: the kernel stops the count at the close that follows it.
func (d *device) Close(disarm bool) error {
	var err error
	if disarm {
		_, err = d.f.Write([]byte("V"))
	}
	return errors.Join(err, d.f.Close())
}
