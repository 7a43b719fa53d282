// Command banner is an agent of forty lines: while it is active, whoever logs in to the node reads so.
package main

import (
	"context"
	"os"
	"path/filepath"

	"paceline/resources/plugin"
)

// Banner is the agent; its fields are its parameters.
type Banner struct {
	File string `ra:"file,unique" default:"/run/motd.d/cluster" short:"File that says it"`
	Text string `ra:"text,required" short:"What it says"`
}

// Start writes the file.
func (b *Banner) Start(context.Context) error {
	if err := os.MkdirAll(filepath.Dir(b.File), 0o755); err != nil {
		return err
	}
	return os.WriteFile(b.File, []byte(b.Text+"\n"), 0o644)
}

// Stop removes it.
func (b *Banner) Stop(context.Context) error { return os.Remove(b.File) }

// Monitor reads it.
func (b *Banner) Monitor(context.Context) (plugin.State, error) {
	text, err := os.ReadFile(b.File)
	switch {
	case os.IsNotExist(err):
		return plugin.Stopped, nil
	case err == nil && string(text) != b.Text+"\n":
		return plugin.Running, plugin.Errorf(plugin.Failed, "somebody else has written %s", b.File)
	}
	return plugin.Running, err
}

func main() {
	plugin.Main[Banner](plugin.Info{Name: "banner", Version: "1.0", Short: "Says at login that the service is on this node"})
}
