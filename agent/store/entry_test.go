package store

import (
	"errors"
	"strings"
	"testing"

	"paceline/agent/cib"
)

func TestEntriesOfOtherVersionsAreRefused(t *testing.T) {
	for text, other := range map[string]bool{
		`{"v":1,"change":{"set_option":{"name":"a","value":"b"}}}`: false,
		`{"v":2,"change":{"set_option":{"name":"a","value":"b"}}}`: true,
		`{"change":{}}`:                       true,
		`{"v":1,"change":{"set_colour":{}}}`:  true,
		`{"v":1,"change":{},"colour":"blue"}`: true,
		`{"v":1,"change":[]}`:                 true,
		`{"v":"one"}`:                         true,
		`[]`:                                  true,
		`{"v":1,`:                             false,
		``:                                    false,
	} {
		_, err := decodeEntry([]byte(text))
		var v *versionError
		if errors.As(err, &v) != other {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestEntryIsBounded(t *testing.T) {
	_, err := encodeEntry(&entry{Change: option("note", strings.Repeat("x", EntryMax))})
	if !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}

// Whatever decodes must encode to something that decodes to the same, and never panic; and the state machine must take it.
func FuzzDecodeEntry(f *testing.F) {
	f.Add([]byte(`{"v":1,"change":{"set_option":{"name":"a","value":"b"}},"base":3,"user":"u","message":"m","time":5,"request":"r"}`))
	f.Add([]byte(`{"v":1,"change":{"batch":[{"put_node":{"id":"1","uname":"n"}},{"drop_node":{"uname":"n"}}]}}`))
	f.Add([]byte(`{"v":1,"change":{"configure":{"configuration":{"resources":[{"kind":"primitive","id":"x"}]}}}}`))
	f.Add([]byte(`{"v":2}`))
	f.Add([]byte(`{"v":1,"change":{"record_fence":{"event":{"target":"n","started":1}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeEntry(data)
		if err != nil {
			return
		}
		again, err := encodeEntry(e)
		if err != nil {
			t.Fatalf("%s does not encode: %v", data, err)
		}
		back, err := decodeEntry(again)
		if err != nil || !same(e, back) {
			t.Fatalf("%s\nbecame\n%s: %v", data, again, err)
		}
		next, _, err := newState().step(cib.Apply, e, 1, 1)
		if p := (*applyPanic)(nil); errors.As(err, &p) {
			t.Fatalf("%s: %v", data, err)
		}
		if _, err := next.encode(); err != nil {
			t.Fatal(err)
		}
	})
}
