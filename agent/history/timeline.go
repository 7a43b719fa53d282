package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// The timeline is a file of lines: a checksum in hexadecimal, a blank, the event in JSON. When it is full it becomes the
// older of two.

func (r *Recorder) timelinePath() string { return filepath.Join(r.dir, "timeline") }

func encodeEvent(e Event) ([]byte, error) {
	text, err := json.Marshal(e)
	if err == nil && len(text) > lineMax {
		e.Ordered, e.Results = nil, nil
		if len(e.Text) > lineMax/8 {
			e.Text = e.Text[:lineMax/8]
		}
		text, err = json.Marshal(e)
	}
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(text), text), nil
}

func decodeEvent(line []byte) (Event, error) {
	var e Event
	sum, text, ok := bytes.Cut(line, []byte(" "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if !ok || err != nil || uint32(want) != crc32.ChecksumIEEE(text) {
		return e, errors.New("its checksum is wrong")
	}
	return e, json.Unmarshal(text, &e)
}

// appendEvents writes events at the end of the timeline.
func (r *Recorder) appendEvents(events []Event) error {
	path := r.timelinePath()
	if st, err := os.Stat(path); err == nil && st.Size() > timelineMax {
		if err := os.Rename(path, path+".1"); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if st, err := f.Stat(); err == nil && st.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, st.Size()-1); err == nil && last[0] != '\n' {
			b.WriteByte('\n') // a torn line stays alone
		}
	}
	for _, e := range events {
		line, err := encodeEvent(e)
		if err != nil {
			r.log.Warn("an event cannot be kept", "err", err)
			continue
		}
		b.Write(line)
	}
	_, err = f.Write(b.Bytes())
	return errors.Join(err, f.Close())
}

// Events returns the timeline, oldest first, and what is wrong with it. A damaged line is left out and named.
func (r *Recorder) Events() (events []Event, problems []string) {
	for _, path := range []string{r.timelinePath() + ".1", r.timelinePath()} {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		scan := bufio.NewScanner(bytes.NewReader(text))
		scan.Buffer(nil, 4*lineMax)
		for n := 1; scan.Scan(); n++ {
			e, err := decodeEvent(scan.Bytes())
			if err != nil {
				problems = append(problems, fmt.Sprintf("line %d of %s is damaged: %v", n, path, err))
				continue
			}
			events = append(events, e)
		}
		if err := scan.Err(); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", path, err))
		}
	}
	return events, problems
}
