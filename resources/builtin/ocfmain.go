package builtin

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"paceline/resources"
	"paceline/resources/plugin"
)

// OCFMain runs one operation of the agent whose name the program was called by, as an OCF executable does: args are the
// program's name and the operation, env the environment with OCF_RESKEY_*. Meta-data goes to standard output, an exit reason to
// standard error. It returns the exit code.
func OCFMain(args, env []string) (exitCode int) { return ocfMain(args, env, os.Stdout, os.Stderr) }

func ocfMain(args, env []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		return int(resources.GenericError)
	}
	name := filepath.Base(args[0])
	i := find(name)
	if i < 0 {
		fmt.Fprintf(stderr, "ocf-exit-reason:there is no agent %s in this program\n", name)
		return int(resources.NotInstalled)
	}
	n := native[i]
	runner := n.make(Config{
		StateDir: os.Getenv("PACELINE_STATE_DIR"), oneShot: true,
		Logger: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}.withDefaults())
	return plugin.Execute(context.Background(), n.agent, runner, args[1:], env, stdout, stderr)
}
