package peer

import "time"

const (
	// HandshakeMax bounds a handshake: two round trips and two signatures take milliseconds, on a starved machine a
	// second.
	HandshakeMax = 5 * time.Second
	// DialMax bounds Dial when its context has no deadline.
	DialMax = 5 * time.Second
	// keepAlive is how often an idle connection is probed by TCP, so that one whose other end is gone ends.
	keepAlive = 15 * time.Second
	// handshakesMax is how many handshakes may be in progress: each holds a goroutine and some 50 KiB.
	handshakesMax = 128
	// handshakesPerHost keeps one host from using up handshakesMax. A node reconnects three protocols at most.
	handshakesPerHost = 16
	// acceptQueue holds connections that passed the handshake until their listener takes them. When it is full the
	// newest is closed: its dialler tries again.
	acceptQueue = 32

	// certificateLife is how long a self-issued certificate is good. It bounds what a stolen certificate is worth, and
	// is long enough that a clock that is days wrong keeps nobody out.
	certificateLife = 14 * 24 * time.Hour
	// certificateRenew is the remaining life at which a node issues itself the next one.
	certificateRenew = certificateLife / 2

	// refusalLogGap is the least time between two log lines about the same host refused for the same reason.
	refusalLogGap = 30 * time.Second
	// refusalLinesMax bounds the log lines about refusals in refusalLogGap, whatever the hosts and reasons.
	refusalLinesMax = 20
	// refusalKeep is how long a refusal is told of after its last time: one port scan is no problem for the rest of a daemon's life.
	refusalKeep = 5 * time.Minute
	// refusalsMax bounds the refusals kept for status; the one that has been quiet longest goes first.
	refusalsMax = 32

	// keyFileMax bounds what is read of a key file: two lines of 64 hexadecimal digits, a word and some white space.
	keyFileMax = 512
	// tokenMax bounds a token's text: seven addresses come to about 500 bytes.
	tokenMax = 4096
	// joinReplyMax bounds what a join client reads.
	joinReplyMax = 1 << 20
	// JoinTimeout bounds joining over all addresses together when the context has no deadline.
	JoinTimeout = 30 * time.Second
	// joinAddressMax bounds one address, so that a dead first address does not use up the time of the others.
	joinAddressMax = 8 * time.Second
)
