package history

import (
	"os"
	"path/filepath"
	"testing"

	"paceline/agent/cib"
)

// The saved input of a transition, however it was damaged, is refused, or is that of the transition that was asked for.
func FuzzLoad(f *testing.F) {
	dir := f.TempDir()
	r := open(f, dir)
	id := ID{Term: 3, Graph: 7}
	if _, err := r.writeInput(Input{ID: id, CIB: &cib.CIB{}}); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, id.String()+inputSuffix))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(r.inputPath(id), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if in, err := r.Load(id); err == nil && (in.ID != id || in.CIB == nil) {
			t.Fatalf("%+v", in)
		}
	})
}
