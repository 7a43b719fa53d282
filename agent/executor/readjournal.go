package executor

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// DamageError says that whole lines within a journal can not be read. A torn end is no damage: a crash leaves one.
type DamageError struct {
	Path  string
	Lines []int // from 1
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("read journal %s: %d damaged lines, the first is line %d", e.Path, len(e.Lines), e.Lines[0])
}

// ReadJournal returns the lines of one journal file in order. A torn end is left out in silence. Damaged lines before the
// end give a *DamageError beside all that could be read.
func ReadJournal(path string) ([]Entry, error) {
	entries, _, err := readJournal(path)
	return entries, err
}

// ReadJournals returns the lines of the journal in a data folder with those of its rotated files, oldest first, without
// repetitions. Checkpoints are left out where the lines before them are there.
func ReadJournals(dir string) ([]Entry, error) {
	var all []Entry
	var damage error
	base := filepath.Join(dir, JournalName)
	for i := JournalsKept; i >= 0; i-- {
		path := base
		if i > 0 {
			path += "." + strconv.Itoa(i)
		}
		entries, _, err := readJournal(path)
		var d *DamageError
		if errors.As(err, &d) {
			damage = err
		} else if errors.Is(err, os.ErrNotExist) && i > 0 {
			continue
		} else if err != nil {
			return all, err
		}
		for _, e := range entries {
			if e.Kind == KindCheckpoint && len(all) > 0 {
				continue
			}
			all = append(all, e)
		}
	}
	return all, damage
}

// readJournal also returns where the last whole line ends.
func readJournal(path string) (entries []Entry, good int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("read journal: %w", err)
	}
	defer f.Close()
	entries, good, bad, err := decodeJournal(f)
	if err != nil {
		return entries, good, fmt.Errorf("read journal %s: %w", path, err)
	}
	if len(bad) > 0 {
		return entries, good, &DamageError{Path: path, Lines: bad}
	}
	return entries, good, nil
}

// decodeJournal reads lines to the end. bad holds the numbers of damaged lines that good ones follow; what is damaged
// behind the last good line is the torn end.
func decodeJournal(r io.Reader) (entries []Entry, good int64, bad []int, err error) {
	b := bufio.NewReaderSize(r, 64<<10)
	var at int64
	var torn []int
	for n := 1; ; n++ {
		line, err := readLine(b, journalLineMax)
		at += int64(len(line))
		if errors.Is(err, io.EOF) {
			return entries, good, bad, nil // what is left has no newline: torn
		}
		if err != nil {
			return entries, good, bad, err
		}
		var e Entry
		if json.Unmarshal(line, &e) != nil || e.Kind == "" {
			torn = append(torn, n)
			continue
		}
		bad = append(bad, torn...)
		torn = nil
		entries = append(entries, e)
		good = at
	}
}
