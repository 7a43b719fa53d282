package history

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/scheduler"
)

// TestEveryInputReplays keeps every conformance case as an input and plans it again from the file: the same graph.
func TestEveryInputReplays(t *testing.T) {
	dir := os.Getenv("PACELINE_CONFORMANCE")
	if dir == "" {
		t.Skip("PACELINE_CONFORMANCE names no folder of conformance cases")
	}
	files, err := filepath.Glob(filepath.Join(dir, "xml", "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	r, err := Open(t.TempDir(), "1.0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	now := time.Unix(1_400_000_000, 123456789).UTC()
	for i, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := cib.Decode(f)
		f.Close()
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		id := ID{1, uint64(i + 1)}
		r.Keep(Input{ID: id, Now: now, CIB: c}, scheduler.Plan(c, now).Graph)
		r.Flush()
		in, err := r.Load(id)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if again, err := Digest(scheduler.Plan(in.CIB, in.Now).Graph); err != nil || again != in.Digest {
			t.Errorf("%s: planned again it is another graph (%v)", filepath.Base(file), err)
		}
	}
}
