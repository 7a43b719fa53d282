package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"paceline/agent/cib"
)

// entryVersion is the version of the log entries that are written. It rises when an older reader would misread an entry;
// a reader refuses every version but those it knows.
const entryVersion = 1

// entry is one command in the log.
type entry struct {
	Version int        `json:"v"`
	Change  cib.Change `json:"change"`
	Base    uint64     `json:"base,omitempty"` // 0, or the configuration's revision that the change was made on
	User    string     `json:"user,omitempty"`
	Message string     `json:"message,omitempty"`
	Time    int64      `json:"time,omitempty"` // Unix milliseconds, by the proposer's clock
	Request string     `json:"request,omitempty"`
}

// versionError says that an entry or a snapshot is not for this version to interpret: applying must stop, because
// skipping it would make this node's state differ from the others'.
type versionError struct{ cause string }

func (e *versionError) Error() string { return e.cause }

func encodeEntry(e *entry) ([]byte, error) {
	e.Version = entryVersion
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode log entry: %w", err)
	}
	if len(data) > EntryMax {
		return nil, fmt.Errorf("log entry of %d bytes: at most %d: %w", len(data), EntryMax, ErrTooLarge)
	}
	if _, err := decodeEntry(data); err != nil { // what goes in must come out on every node
		return nil, err
	}
	return data, nil
}

// decodeEntry reads an entry. A *versionError means that another version of this program wrote something that this one
// does not know; every other error means that the bytes are no entry to any version.
func decodeEntry(data []byte) (*entry, error) {
	if !json.Valid(data) {
		return nil, errors.New("decode log entry: not JSON")
	}
	var head struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, &versionError{fmt.Sprintf("log entry of no readable version: %v", err)}
	}
	if head.Version != entryVersion {
		return nil, &versionError{fmt.Sprintf("log entry of version %d; this program knows version %d", head.Version, entryVersion)}
	}
	var e entry
	if err := decodeStrictly(data, &e); err != nil {
		return nil, &versionError{fmt.Sprintf("log entry of version %d: %v", head.Version, err)}
	}
	return &e, nil
}

// decodeStrictly refuses fields that it does not know: to drop one silently would be to apply another change than the
// one that was committed.
func decodeStrictly(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}
