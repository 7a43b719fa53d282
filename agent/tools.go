package agent

import (
	"log/slog"
	"os"
	"path/filepath"

	"paceline/agent/ocftools"
)

// socketPath is where the daemon listens.
func (o *Options) socketPath() string { return filepath.Join(o.RunDir, "paceline.sock") }

// linkTools makes a folder of links to this program, by the names of the tools that resource agents call. It returns the
// folder, empty if there is none.
func (o *Options) linkTools(log *slog.Logger) string {
	if o.Program == "" {
		return ""
	}
	dir := filepath.Join(o.RunDir, "tools")
	err := os.MkdirAll(dir, 0o755)
	for _, name := range ocftools.Names() {
		if err != nil {
			break
		}
		path := filepath.Join(dir, name)
		if dest, linkErr := os.Readlink(path); linkErr == nil && dest == o.Program {
			continue
		}
		_ = os.Remove(path) // of another program; Symlink says so if it is still there
		err = os.Symlink(o.Program, path)
	}
	if err != nil {
		log.Error("resource agents cannot set node attributes: their tools have no place", "path", dir, "cause", err)
		return ""
	}
	return dir
}
