package shell

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/ergochat/readline"
)

// ErrInterrupt is what ReadLine returns when the person gave a line up with Ctrl-C.
var ErrInterrupt = errors.New("interrupted")

// Candidate is a word that may stand in the place of the last one, and what it means. One that ends in '=' or ':' is not whole
// yet: no blank follows it.
type Candidate struct{ Word, Text string }

// Completer lists what may stand in the place of the last word (as Partial has it), given those before. It must answer within
// the time in which a person does not mind. Candidates that do not begin with the last word are left out.
type Completer func(before []string, last string) []Candidate

// Editor reads lines from the terminal that is the process's standard input.
type Editor struct {
	rl       *readline.Instance
	history  *History
	complete Completer
}

// NewEditor returns an editor that knows the lines of a history; history may be nil.
func NewEditor(history *History, past []string, complete Completer) (*Editor, error) {
	e := &Editor{history: history, complete: complete}
	rl, err := readline.NewFromConfig(&readline.Config{
		AutoComplete: e, DisableAutoSaveHistory: true, HistoryLimit: historyMax, HistorySearchFold: true,
		InterruptPrompt: "^C", EOFPrompt: "\n", Stdout: silent{os.Stdout}, Undo: true,
	})
	if err != nil {
		return nil, fmt.Errorf("edit lines on this terminal: %w", err)
	}
	e.rl = rl
	for _, line := range past {
		if err := rl.SaveToHistory(line); err != nil {
			return nil, fmt.Errorf("edit lines on this terminal: %w", err)
		}
	}
	return e, nil
}

// silent is the terminal without its bell, which would ring whenever a list of candidates is shown.
type silent struct{ io.Writer }

func (s silent) Write(b []byte) (int, error) {
	if len(b) == 1 && b[0] == '\a' {
		return 1, nil
	}
	return s.Writer.Write(b)
}

// ReadLine reads one line. The error is io.EOF at the end (Ctrl-D on an empty line), and ErrInterrupt for a line given up.
// What could not be kept in the history is no reason to refuse a line.
func (e *Editor) ReadLine(prompt string) (string, error) {
	e.rl.SetPrompt(prompt)
	whole := ""
	for {
		line, err := e.rl.ReadLine()
		if errors.Is(err, readline.ErrInterrupt) {
			return "", ErrInterrupt
		}
		if err != nil {
			return "", err
		}
		part, more := Continues(line)
		whole += part
		if !more {
			break
		}
		e.rl.SetPrompt("> ")
	}
	if strings.TrimSpace(whole) != "" {
		_ = e.rl.SaveToHistory(whole) // in memory
		_ = e.history.Add(whole)
	}
	return whole, nil
}

// Close gives the terminal back.
func (e *Editor) Close() error { return e.rl.Close() }

// Do completes the word before the cursor: it is what readline calls on Tab. A unique candidate is filled in, the common beginning of
// several too; else they are listed with what they mean.
func (e *Editor) Do(line []rune, pos int) ([][]rune, int) {
	before, last, at := Partial(string(line[:pos]))
	typed := string(line[:pos])[at:]
	var list []Candidate
	for _, c := range e.complete(before, last) {
		if strings.HasPrefix(c.Word, last) {
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		return nil, 0
	}
	width := utf8.RuneCountInString(last)
	more := commonStart(list)[len(last):]
	if len(list) == 1 {
		open := strings.HasSuffix(list[0].Word, "=") || strings.HasSuffix(list[0].Word, ":")
		if open && more == "" {
			e.show(list)
			return nil, 0
		}
		return [][]rune{[]rune(insertion(typed, more, !open))}, width
	}
	if more == "" {
		e.show(list)
		return nil, 0
	}
	return [][]rune{[]rune(insertion(typed, more, false))}, width
}

func commonStart(list []Candidate) string {
	start := list[0].Word
	for _, c := range list[1:] {
		n := 0
		for n < len(start) && n < len(c.Word) && start[n] == c.Word[n] {
			n++
		}
		start = start[:n]
	}
	for !utf8.ValidString(start) {
		start = start[:len(start)-1]
	}
	return start
}

// insertion is what is written behind a word as typed, so that it means more besides.
func insertion(typed, more string, whole bool) string {
	quote := openQuote(typed)
	if quote == 0 {
		var b strings.Builder
		for _, r := range more {
			if strings.ContainsRune(" \t\"'\\#", r) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
		more = b.String()
	}
	if !whole {
		return more
	}
	if quote != 0 {
		more += string(quote)
	}
	return more + " "
}

func openQuote(typed string) rune {
	quote := rune(0)
	for _, r := range typed {
		switch {
		case quote == r:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		}
	}
	return quote
}

// show lists candidates above the line being edited.
func (e *Editor) show(list []Candidate) {
	columns, _ := e.rl.GetConfig().FuncGetSize()
	e.rl.Write(Listing(list, columns))
}

// Listing lays candidates out: each on its line with what it means, or in columns if they are many or mean nothing more.
func Listing(list []Candidate, columns int) []byte {
	if columns <= 0 {
		columns = 80
	}
	wide, told := 0, false
	for _, c := range list {
		wide = max(wide, utf8.RuneCountInString(c.Word))
		told = told || c.Text != ""
	}
	var b bytes.Buffer
	if told && len(list) <= listedMax {
		for _, c := range list {
			text := c.Text
			if room := columns - wide - 5; utf8.RuneCountInString(text) > room && room > 3 {
				text = string([]rune(text)[:room-3]) + "..."
			}
			b.WriteString(strings.TrimRight(fmt.Sprintf("  %-*s  %s", wide, c.Word, text), " ") + "\n")
		}
		return b.Bytes()
	}
	each := max(1, (columns-1)/(wide+2))
	for i, c := range list {
		if (i+1)%each == 0 || i == len(list)-1 {
			b.WriteString(c.Word + "\n")
			continue
		}
		fmt.Fprintf(&b, "%-*s", wide+2, c.Word)
	}
	return b.Bytes()
}
