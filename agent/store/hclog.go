package store

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// raftLogger gives raft a logger that writes to ours. raft calls an unreachable peer an error and each change of state
// information; the levels are lowered by one, so that a steady or a recovering cluster is quiet.
func raftLogger(logger *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "raft", Level: hclog.Info, Output: io.Discard})
	l.RegisterSink(sink{logger})
	return l
}

type sink struct{ logger *slog.Logger }

func (s sink) Accept(name string, level hclog.Level, msg string, args ...any) {
	var to slog.Level
	switch {
	case level >= hclog.Error:
		to = slog.LevelWarn
	case level == hclog.Warn:
		to = slog.LevelInfo
	default:
		to = slog.LevelDebug
	}
	if !s.logger.Enabled(context.Background(), to) {
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
