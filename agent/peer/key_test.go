package peer

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func chainOf(c *tls.Certificate) []*x509.Certificate { return []*x509.Certificate{c.Leaf} }

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	k := NewKey()
	if err := k.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := loadKey(path)
	if err != nil || got != k {
		t.Fatalf("loaded %v, %v", got == k, err)
	}
	os.Chmod(path, 0o640)
	if _, err := loadKey(path); err == nil || !strings.Contains(err.Error(), "mode 0640") {
		t.Errorf("readable by the group: %v", err)
	}
	os.Chmod(path, 0o600)
	for text, want := range map[string]string{
		"":                       "want 64 hexadecimal digits, have 0",
		"zz":                     "not hexadecimal",
		strings.Repeat("00", 32): "all zero",
		strings.Repeat("ab", 31): "have 62",
	} {
		os.WriteFile(path, []byte(text), 0o600)
		if _, err := loadKey(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".key-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestKeyIsNeverPrinted(t *testing.T) {
	k := testKey(1)
	token, _ := NewToken([]string{"a:1"}, k, time.Now())
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s %x %d %q %v %+v", k, k, k, k, k, k, k, &k, struct{ K Key }{k})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "key", k, "config", Config{Keys: []Key{k}}, "token", token)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", k, "keys", []Key{k}, "token", token)
	fmt.Fprintf(&out, "%v %+v %#v", token, token, token)
	if b, err := json.Marshal(k); err == nil {
		t.Errorf("JSON of a key: %s", b)
	}
	for _, secret := range []string{k.Hex(), strings.ToUpper(k.Hex()), "1 2 3 4", token.SecretText(), fmt.Sprint(token.Secret)} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in the output:\n%s", secret, &out)
		}
	}
}

// What is derived from a key must never change: nodes of different versions would no longer understand one another.
func TestDerivedIsStable(t *testing.T) {
	k := testKey(1)
	if got := fmt.Sprintf("%x", k.GossipKey()); got != wantGossipKey {
		t.Errorf("gossip key %s", got)
	}
	if got := fmt.Sprintf("%x", [32]byte(k.CAFingerprint())); got != wantFingerprint {
		t.Errorf("fingerprint %s", got)
	}
	a, _ := newAuthority(k)
	b, _ := newAuthority(k)
	if !bytes.Equal(a.cert.Raw, b.cert.Raw) {
		t.Error("two nodes make different authorities of one key")
	}
}

const (
	wantGossipKey   = "d6c3eaf813b8c857ad6cf8b53b284a8449c204f94af8adab35c4ab7cf2e5b34e"
	wantFingerprint = "bafa0ccc09af99146c8881aa2c9ed762358fee52e5127bf4fd8eda8db59a4124"
)

func TestTokenText(t *testing.T) {
	k := testKey(1)
	expires := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	token, err := NewToken([]string{"192.0.2.1:7947", "[2001:db8::1]:7947"}, k, expires)
	if err != nil {
		t.Fatal(err)
	}
	text := token.Encode()
	got, err := ParseToken("  " + text[:40] + "\r\n  " + text[40:] + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != token.String() || got.Secret != token.Secret || strings.Join(got.Addresses, " ") != strings.Join(token.Addresses, " ") {
		t.Errorf("parsed %v, want %v", got, token)
	}
	for i := range text {
		for _, bad := range []string{text[:i], text[:i] + text[i+1:], text[:i] + "~" + text[i+1:], text[:i] + "A" + text[i+1:]} {
			if bad == text {
				continue
			}
			if _, err := ParseToken(bad); err == nil {
				t.Errorf("accepted %q", bad)
			} else if i > 5 && !errors.Is(err, ErrTokenDamaged) && !strings.Contains(err.Error(), "starts with") {
				t.Errorf("%q: %v", bad, err)
			}
		}
	}
	for text, want := range map[string]string{
		"":              "token is empty",
		"hello world":   "this is not a join token",
		"paceline1.QQ":  "too short",
		"paceline1.Q Q": "too short",
		"pacelin.QQ":    "it should start with",
	} {
		if _, err := ParseToken(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := token.Check(expires.Add(time.Minute)); !errors.Is(err, ErrTokenExpired) || !strings.Contains(err.Error(), "1m0s ago") {
		t.Errorf("expired: %v", err)
	}
	if err := token.Check(expires.Add(-time.Minute)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "host", "host:0", "host:99999", ":7947", "a b:7"} {
		if _, err := NewToken([]string{bad}, k, expires); err == nil {
			t.Errorf("made a token with the address %q", bad)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	token, _ := NewToken([]string{"a:1"}, testKey(1), time.Unix(1e9, 0))
	f.Add(token.Encode())
	f.Add("paceline1.")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err != nil {
			return
		}
		again, err := ParseToken(token.Encode())
		if err != nil || again.Encode() != token.Encode() {
			t.Errorf("%q: parsed, but its encoding is not: %v", text, err)
		}
	})
}

// loadKey reads a key file and returns the current key.
func loadKey(path string) (Key, error) {
	r, err := LoadRing(path)
	return r.Current, err
}
