package store

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// raftLogger gives raft a logger that writes to ours. raft calls an unreachable peer an error and each change of state
// information; the levels are lowered by one, so that a steady or a recovering cluster is quiet.
func raftLogger(logger *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "raft", Level: hclog.Info, Output: io.Discard})
	l.RegisterSink(&sink{logger: logger, said: map[string]time.Time{}})
	return l
}

// sink passes a message on once in repeatAfter: raft repeats some with every attempt to reach a dead peer.
type sink struct {
	logger *slog.Logger
	mu     sync.Mutex
	said   map[string]time.Time // by raft's texts, of which there are about a hundred
}

func (s *sink) repeated(msg string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if last, ok := s.said[msg]; ok && now.Sub(last) < repeatAfter {
		return true
	}
	s.said[msg] = now
	return false
}

func (s *sink) Accept(name string, level hclog.Level, msg string, args ...any) {
	var to slog.Level
	switch {
	case level >= hclog.Error:
		to = slog.LevelWarn
	case level == hclog.Warn:
		to = slog.LevelInfo
	default:
		to = slog.LevelDebug
	}
	if !s.logger.Enabled(context.Background(), to) || to > slog.LevelDebug && s.repeated(msg) {
		return
	}
	shown := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case hclog.Format:
			shown[i] = fmt.Sprintf(fmt.Sprint(v[0]), v[1:]...)
		case fmt.Stringer:
			shown[i] = v.String()
		default:
			shown[i] = a
		}
	}
	s.logger.Log(context.Background(), to, name+": "+msg, shown...)
}
