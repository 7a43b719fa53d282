package peer

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// KeySize is the length of a cluster key in bytes.
const KeySize = 32

// Labels of what is derived from a key. A label never changes its meaning: nodes of different versions must agree.
const (
	labelGossip    = "paceline gossip v1"
	labelAuthority = "paceline certificate authority v1"
)

// Key is a cluster key, the one secret that makes a node a member. It prints as "(cluster key)" wherever it ends up, in
// logs, errors or JSON; Hex is the only way to its text.
type Key [KeySize]byte

// NewKey draws a key from the system's random source.
func NewKey() Key {
	var k Key
	rand.Read(k[:]) // never fails: it ends the program when the system has no randomness
	return k
}

// ParseKey reads the hexadecimal form of a key. White space around it is allowed.
func ParseKey(text string) (Key, error) {
	var k Key
	b, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return k, errors.New("parse cluster key: not hexadecimal") // the cause would print a byte of the key
	}
	if len(b) != KeySize {
		return k, fmt.Errorf("parse cluster key: want %d hexadecimal digits, have %d", 2*KeySize, 2*len(b))
	}
	copy(k[:], b)
	if k == (Key{}) {
		return k, errors.New("parse cluster key: it is all zero")
	}
	return k, nil
}

// readKeyFile reads a file that only its owner may read.
func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load cluster key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("load cluster key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("load cluster key: %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("load cluster key: %s has mode %04o: others on this machine may read it (make it 0600; "+
			"if somebody did, the cluster needs a new key: paceline cluster rotate-key)", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(f, keyFileMax))
	if err != nil {
		return nil, fmt.Errorf("load cluster key: %w", err)
	}
	return text, nil
}

// Save writes the key file with mode 0600, whole or not at all, and replaces one that is there.
func (k Key) Save(path string) error { return saveKeyFile(path, k.Hex()+"\n") }

func saveKeyFile(path, text string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return fmt.Errorf("save cluster key: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err = f.WriteString(text); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("save cluster key: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Hex returns the key's text: a secret.
func (k Key) Hex() string { return hex.EncodeToString(k[:]) }

// GossipKey returns the 32 bytes that encrypt the gossip (AES-256-GCM).
func (k Key) GossipKey() []byte { return k.derive(labelGossip, 32) }

// derive returns size bytes that belong to the label: knowing them tells nothing about the key or about other labels.
func (k Key) derive(label string, size int) []byte {
	b, err := hkdf.Key(sha256.New, k[:], nil, label, size)
	if err != nil {
		panic("peer: derive " + label + ": " + err.Error()) // only for sizes beyond 8160 bytes
	}
	return b
}

// authority returns the private key of the cluster's certificate authority.
func (k Key) authority() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(k.derive(labelAuthority, ed25519.SeedSize))
}

// Fingerprint identifies the cluster's certificate authority, and so the key, without telling it: the SHA-256 of the
// authority's public key (SubjectPublicKeyInfo).
type Fingerprint [sha256.Size]byte

// CAFingerprint returns the fingerprint of the key's authority.
func (k Key) CAFingerprint() Fingerprint {
	spki, err := x509.MarshalPKIXPublicKey(k.authority().Public())
	if err != nil {
		panic("peer: marshal public key: " + err.Error()) // an Ed25519 key always marshals
	}
	return sha256.Sum256(spki)
}

// String returns the first eight bytes, as people compare them.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:8]) }

// Hex returns the fingerprint in full.
func (f Fingerprint) Hex() string { return hex.EncodeToString(f[:]) }

// ParseFingerprint reads what Hex returns.
func ParseFingerprint(text string) (Fingerprint, error) {
	var f Fingerprint
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(f) {
		return f, errors.New("parse fingerprint: not the SHA-256 of a key")
	}
	copy(f[:], b)
	return f, nil
}

// Format keeps the key out of every formatted text, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, "(cluster key)") }

// LogValue keeps the key out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue("(cluster key)") }

// MarshalText keeps the key out of JSON and refuses to pretend that it was written.
func (k Key) MarshalText() ([]byte, error) {
	return nil, errors.New("a cluster key is a secret: it is written by Save only")
}
