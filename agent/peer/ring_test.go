package peer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

// A rotation passes through two states, each step can be repeated, and none can be left out.
func TestRingSteps(t *testing.T) {
	a, b, c := NewKey(), NewKey(), NewKey()
	r := Ring{Current: a}
	if _, err := r.Use(b.CAFingerprint()); err == nil {
		t.Error("a key that is not accepted was used")
	}
	if _, err := r.Drop(b.CAFingerprint()); err == nil {
		t.Error("the current key was dropped")
	}
	step := func(what string, f func(Ring) (Ring, error), want string) {
		t.Helper()
		for range 2 {
			next, err := f(r)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			r = next
		}
		names := map[Key]string{a: "a", b: "b", c: "c"}
		var got []string
		for _, k := range r.Keys() {
			got = append(got, names[k])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", what, got, want)
		}
	}
	step("accept", func(r Ring) (Ring, error) { return r.Accept(b) }, "a b")
	if _, err := r.Accept(c); err == nil {
		t.Error("a third key was accepted")
	}
	step("use", func(r Ring) (Ring, error) { return r.Use(b.CAFingerprint()) }, "b a")
	if _, err := r.Use(a.CAFingerprint()); err == nil {
		t.Error("the rotation went backwards")
	}
	step("drop", func(r Ring) (Ring, error) { return r.Drop(b.CAFingerprint()) }, "b")
}

// Who is behind takes over what another has; nobody goes backwards.
func TestRingBehind(t *testing.T) {
	a, b := NewKey(), NewKey()
	states := []Ring{{Current: a}, {Current: a, Next: &b}, {Current: b, Old: &a}, {Current: b}}
	for i, mine := range states {
		for j, theirs := range states {
			want := j > i && !(i == 0 && j == 3) && !(i == 2 && j == 3) // nothing ties a to b alone; and a drop is told, not found
			if got := mine.Behind(theirs); got != want {
				t.Errorf("from state %d to %d: %v, want %v", i, j, got, want)
			}
		}
	}
}

func TestRingFile(t *testing.T) {
	a, b := NewKey(), NewKey()
	path := filepath.Join(t.TempDir(), "key")
	for _, r := range []Ring{{Current: a}, {Current: a, Next: &b}, {Current: b, Old: &a}} {
		if err := r.Save(path); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		got, err := LoadRing(path)
		if err != nil || fmt.Sprint(stateText(got)) != fmt.Sprint(stateText(r)) {
			t.Errorf("got %v, want %v, %v", stateText(got), stateText(r), err)
		}
		if k, err := loadKey(path); err != nil || k != r.Current {
			t.Errorf("the current key is not the first: %v", err)
		}
	}
	for _, text := range []string{"", "next " + a.Hex(), a.Hex() + "\n" + b.Hex(), a.Hex() + "\nold " + b.Hex() + "\nnext " + b.Hex(), a.Hex() + "\nelse " + b.Hex(), a.Hex() + "\nnext"} {
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadRing(path); err == nil {
			t.Errorf("loaded %q", strings.ReplaceAll(strings.ReplaceAll(text, a.Hex(), "A"), b.Hex(), "B"))
		} else if strings.Contains(err.Error(), a.Hex()[:8]) {
			t.Error("the error tells the key")
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadRing(path); err == nil || !strings.Contains(err.Error(), "mode 0644") {
		t.Errorf("a file that others may read: %v", err)
	}
}

func stateText(r Ring) []string {
	out := []string{r.Current.Hex()}
	if r.Next != nil {
		out = append(out, "next", r.Next.Hex())
	}
	if r.Old != nil {
		out = append(out, "old", r.Old.Hex())
	}
	return out
}

// Nodes in any two states of a rotation that share a key reach each other, in both directions, whichever is current on either; those
// that share none do not, and are told that it is the key.
func TestKeysInEveryState(t *testing.T) {
	a, b := NewKey(), NewKey()
	states := [][]Key{{a}, {a, b}, {b, a}, {b}}
	for i, from := range states {
		for j, to := range states {
			t.Run(fmt.Sprintf("%d to %d", i, j), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					x, y := w.peer("x", nil, from...), w.peer("y", nil, a)
					if err := y.SetKeys(to); err != nil { // while it runs, as a rotation does
						t.Fatal(err)
					}
					l := y.Listener(ALPNExec)
					defer l.Close()
					c, err := x.Dial(t.Context(), "y:7947", ALPNExec)
					if apart := i == 0 && j == 3 || i == 3 && j == 0; apart {
						if err == nil || !strings.Contains(err.Error(), ErrOtherKey.Error()) {
							t.Errorf("got %v", err)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					far, err := l.Accept()
					if err != nil {
						t.Fatal(err)
					}
					if id, ok := IdentityOf(far); !ok || id.Node != "x" || c.Peer().Node != "y" {
						t.Errorf("they took each other for %v and %v", id, c.Peer())
					}
					c.Close()
					far.Close()
				})
			})
		}
	}
}
