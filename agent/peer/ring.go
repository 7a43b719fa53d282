package peer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Ring is the keys of a cluster as one node accepts them. Outside a rotation there is one, Current. A rotation goes through two
// states that all nodes pass in this order: Current and Next, then Current (which was Next) and Old.
type Ring struct {
	Current Key  // certificates are made with it, and gossip is encrypted
	Next    *Key // accepted already, and about to be made current
	Old     *Key // accepted still
}

// ErrNotRotating is in the error of Ring.Use and Ring.Drop when the key is not one of a rotation.
var ErrNotRotating = errors.New("this node is in no rotation to that key")

// Keys lists the keys that are accepted, the current one first.
func (r Ring) Keys() []Key {
	keys := []Key{r.Current}
	for _, k := range []*Key{r.Next, r.Old} {
		if k != nil {
			keys = append(keys, *k)
		}
	}
	return keys
}

// Rotating reports whether more than one key is accepted.
func (r Ring) Rotating() bool { return r.Next != nil || r.Old != nil }

// Accept returns the ring that takes a new key, too. It changes nothing where the key is accepted already.
func (r Ring) Accept(k Key) (Ring, error) {
	for _, have := range r.Keys() {
		if have == k {
			return r, nil
		}
	}
	if r.Rotating() {
		return r, errors.New("another rotation is not finished: `paceline cluster rotate-key` goes on with it")
	}
	return Ring{Current: r.Current, Next: &k}, nil
}

// Use returns the ring in which the key with the fingerprint, which was accepted before, is current.
func (r Ring) Use(f Fingerprint) (Ring, error) {
	switch {
	case r.Current.CAFingerprint() == f:
		return r, nil
	case r.Next != nil && r.Next.CAFingerprint() == f:
		old := r.Current
		return Ring{Current: *r.Next, Old: &old}, nil
	}
	return r, fmt.Errorf("use key %s: %w", f, ErrNotRotating)
}

// Drop returns the ring in which the key with the fingerprint, which is current, is the only one.
func (r Ring) Drop(f Fingerprint) (Ring, error) {
	if r.Current.CAFingerprint() != f {
		return r, fmt.Errorf("drop all keys but %s: %w", f, ErrNotRotating)
	}
	return Ring{Current: r.Current}, nil
}

// Behind reports whether the other ring is further in the same rotation.
func (r Ring) Behind(other Ring) bool {
	if r.Current == other.Current {
		return !r.Rotating() && other.Next != nil
	}
	return other.Old != nil && *other.Old == r.Current || r.Next != nil && *r.Next == other.Current
}

// A ring's file has a line for each key: the current one alone, then "next KEY" or "old KEY".
const (
	ringNext = "next"
	ringOld  = "old"
)

// LoadRing reads a key file. It refuses one that anybody but its owner may read or write.
func LoadRing(path string) (Ring, error) {
	text, err := readKeyFile(path)
	if err != nil {
		return Ring{}, err
	}
	r, err := parseRing(text)
	if err != nil {
		return Ring{}, fmt.Errorf("load cluster key: %s: %w", path, err)
	}
	return r, nil
}

func parseRing(text []byte) (Ring, error) {
	var r Ring
	lines := bufio.NewScanner(bytes.NewReader(text))
	for first := true; lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		k, err := ParseKey(words[len(words)-1])
		switch {
		case err != nil:
			return Ring{}, err
		case first && len(words) == 1:
			r.Current, first = k, false
		case !first && len(words) == 2 && words[0] == ringNext && !r.Rotating():
			r.Next = &k
		case !first && len(words) == 2 && words[0] == ringOld && !r.Rotating():
			r.Old = &k
		default:
			return Ring{}, errors.New("parse cluster key: it wants one line with a key, and at most one with \"next\" or \"old\" and another")
		}
	}
	if r.Current == (Key{}) {
		return Ring{}, fmt.Errorf("parse cluster key: want %d hexadecimal digits, have 0", 2*KeySize)
	}
	return r, nil
}

// Save writes the key file as Key.Save does.
func (r Ring) Save(path string) error {
	text := r.Current.Hex() + "\n"
	if r.Next != nil {
		text += ringNext + " " + r.Next.Hex() + "\n"
	}
	if r.Old != nil {
		text += ringOld + " " + r.Old.Hex() + "\n"
	}
	return saveKeyFile(path, text)
}
