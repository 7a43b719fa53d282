package exec

import (
	"os"
	"path/filepath"
	"testing"

	"paceline/fencing"
)

// BenchmarkDo is what running an agent costs beyond what the agent itself takes: it is part of every failover.
func BenchmarkDo(b *testing.B) {
	dir := b.TempDir()
	script := "#!/bin/sh\nexit 0\n"
	if err := os.WriteFile(filepath.Join(dir, "fence_true"), []byte(script), 0o755); err != nil {
		b.Fatal(err)
	}
	d := New(Config{Path: []string{dir}})
	device := fencing.Device{ID: "d", Agent: "fence_true", Params: map[string]string{"pcmk_host_list": "n1"}}
	for b.Loop() {
		if err := d.Do(b.Context(), device, fencing.Off, "n1"); err != nil {
			b.Fatal(err)
		}
	}
}
