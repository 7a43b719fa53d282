package ctl

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// keyPoll is how often the reader of keys looks whether it is to end, in milliseconds: nobody notices it.
const keyPoll = 100

// singleKeys lets a terminal hand on every key at once and show none, and returns what puts it back as it was. Interrupts stay
// signals, so that whoever runs the command is told of them.
func singleKeys(tty *os.File) (restore func(), err error) {
	fd := int(tty.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	now := *before
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &now); err != nil {
		return nil, err
	}
	return func() { unix.IoctlSetTermios(fd, unix.TCSETS, before) }, nil
}

// readKeys sends what is typed until ctx ends or the terminal goes. It takes nothing that is typed later: somebody else may
// read the terminal then.
func readKeys(ctx context.Context, tty *os.File, keys chan<- []byte) {
	fd := int(tty.Fd())
	for ctx.Err() == nil {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, keyPoll)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if n <= 0 || ctx.Err() != nil {
			continue
		}
		buf := make([]byte, 16) // the longest sequence of one key
		got, err := unix.Read(fd, buf)
		if err != nil || got == 0 {
			return
		}
		select {
		case keys <- buf[:got]:
		case <-ctx.Done():
		}
	}
}
