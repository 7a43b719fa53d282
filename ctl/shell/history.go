package shell

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// History is a person's last lines in a file.
type History struct {
	path string
}

// OpenHistory returns the history in a file and the lines it holds, the oldest first. The file is made with the first
// line, its folder now. A file that others may read or write is made the user's own.
func OpenHistory(path string) (*History, []string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, fmt.Errorf("keep a history: %w", err)
	}
	h := &History{path: path}
	lines, err := h.read()
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the history: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, nil, fmt.Errorf("keep the history private: %w", err)
	}
	if len(lines) > historyMax {
		lines = lines[len(lines)-historyMax:]
		err = h.write(lines)
	}
	return h, lines, err
}

func (h *History) read() ([]string, error) {
	f, err := os.Open(h.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > historyBytes { // the end is what counts
		if _, err := f.Seek(-historyBytes, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	var lines []string
	s := bufio.NewScanner(io.LimitReader(f, historyBytes))
	s.Buffer(nil, historyBytes)
	for s.Scan() {
		if s.Text() != "" {
			lines = append(lines, s.Text())
		}
	}
	return lines, s.Err()
}

func (h *History) write(lines []string) error {
	f, err := os.CreateTemp(filepath.Dir(h.path), ".history-*") // mode 0600
	if err != nil {
		return fmt.Errorf("shorten the history: %w", err)
	}
	_, err = io.WriteString(f, strings.Join(lines, "\n")+"\n")
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), h.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("shorten the history: %w", err)
	}
	return nil
}

// Add keeps a line, unless it holds a secret: such a line is not kept at all, since one with its secret blotted out would do harm
// if it were run again.
func (h *History) Add(line string) error {
	if h == nil || strings.TrimSpace(line) == "" || strings.ContainsAny(line, "\r\n") || Secret(line) {
		return nil
	}
	f, err := os.OpenFile(h.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("keep a line in the history: %w", err)
	}
	_, err = io.WriteString(f, line+"\n")
	return errors.Join(err, f.Close())
}

// What gives a secret away: a name of one with a value behind it, or a join token.
var secrets = regexp.MustCompile(`(?i)[\w.-]*(passw|secret|passphrase|token|credential|private_?key|api_?key|login_?key)[\w.-]*(["']?\s*=|\s+\S)|\bPL1-`)

// Secret says whether a line looks as if it held a secret.
func Secret(line string) bool { return secrets.MatchString(line) }
