package membership

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"
)

// bridge turns the lines of serf and memberlist ("[WARN] memberlist: ...") into slog records, and recognises in them
// what is a problem for people: the libraries tell it nowhere else.
type bridge struct {
	log      *slog.Logger
	problems *problems
	cluster  string

	mu   sync.Mutex
	last map[string]time.Time // when a kind of line was logged
}

var (
	reLabel   = regexp.MustCompile(`discarding (?:packet|stream) with unacceptable label "(.*)": from=(\S+)`)
	reDecrypt = regexp.MustCompile(`(?:Decrypt packet failed: |failed to receive: )(?:no installed keys could decrypt the message|` +
		`unsupported encryption version \d+|payload is too small to decrypt: \d+|cannot decrypt empty payload|` +
		`encryption is configured but remote state is not encrypted).* from=(\S+)`)
)

// Write takes one line. It always succeeds.
func (b *bridge) Write(line []byte) (int, error) {
	level, text := splitLine(line)
	switch {
	case b.recognise(text):
		level = slog.LevelDebug // logged once, as a problem
	case level >= slog.LevelWarn && !b.due(text):
		return len(line), nil
	}
	b.log.Log(context.Background(), level, "gossip: "+text)
	return len(line), nil
}

// recognise reports problems.
func (b *bridge) recognise(text string) bool {
	if m := reLabel.FindStringSubmatch(text); m != nil {
		host := hostOf(m[2])
		theirs := fmt.Sprintf("a cluster called %q", m[1])
		if m[1] == "" {
			theirs = "something that is not paceline"
		}
		b.problems.add(ForeignCluster, host, fmt.Sprintf("%s sends gossip of %s, this is cluster %q: it is ignored", host, theirs, b.cluster), 0)
		return true
	}
	if m := reDecrypt.FindStringSubmatch(text); m != nil {
		host := hostOf(m[1])
		b.problems.add(WrongKey, host, fmt.Sprintf("%s sends gossip that the key of this cluster does not open: it is ignored "+
			"(it has another cluster key)", host), 0)
		return true
	}
	return strings.HasPrefix(text, "memberlist: ignoring alive message for") || // the guard said it
		strings.HasPrefix(text, "memberlist: Failed push/pull merge")
}

// due keeps lines of one kind apart by logGap. A kind is the beginning of a line, before names and numbers.
func (b *bridge) due(text string) bool {
	kind := text[:min(len(text), 40)]
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.last[kind]) < logGap {
		return false
	}
	if len(b.last) >= logKinds {
		clear(b.last)
	}
	b.last[kind] = now
	return true
}

// Lines that come with every dead member, and say nothing that the view does not.
var expected = []string{
	"memberlist: Failed fallback TCP ping", "memberlist: Failed to send UDP ping", "memberlist: Failed to send gossip",
	"memberlist: Failed to send UDP compound ping", "memberlist: Failed to send indirect UDP ping",
	"memberlist: Push/Pull with", "memberlist: Failed to send ack", "memberlist: Got ping for unexpected node",
	"memberlist: Refuting", "serf: Shutdown without a Leave",
}

// splitLine takes the level off a line of the libraries. Their information is debugging to us: what matters of it is in
// the views. So are the warnings that are expected.
func splitLine(line []byte) (slog.Level, string) {
	line = bytes.TrimSpace(line)
	level := slog.LevelInfo
	if i := bytes.IndexByte(line, ']'); i > 0 && line[0] == '[' {
		switch string(line[1:i]) {
		case "DEBUG", "TRACE", "INFO":
			level = slog.LevelDebug
		case "WARN":
			level = slog.LevelWarn
		case "ERR", "ERROR":
			level = slog.LevelError
		}
		line = bytes.TrimSpace(line[i+1:])
	}
	text := string(line)
	for _, e := range expected {
		if strings.HasPrefix(text, e) {
			return slog.LevelDebug, text
		}
	}
	return level, text
}

// hostOf takes the port off an address.
func hostOf(address string) string {
	if i := strings.LastIndexByte(address, ':'); i > 0 {
		return strings.Trim(address[:i], "[]")
	}
	return address
}
