package ctl

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"paceline/agent/api"
)

// Escape sequences of every terminal since the VT100, and xterm's second screen, which brings the first one back as it was.
const (
	screenEnter = "\x1b[?1049h\x1b[?25l"
	screenLeave = "\x1b[?25h\x1b[?1049l"
	screenHome  = "\x1b[H"
	lineRest    = "\x1b[K"
	screenRest  = "\x1b[J"
)

// board is a full-screen view: lines, of which as many are shown as fit, from the top one on.
type board struct {
	width, height int
	top           int
	lines         []string
}

// scroll moves the view, within what there is.
func (b *board) scroll(by int) {
	b.top = max(0, min(b.top+by, len(b.lines)-b.room()))
}

// room is how many lines of the content fit above the foot.
func (b *board) room() int { return max(1, b.height-1) }

// frame draws everything in place of what was there, without clearing first, so that nothing flickers.
func (b *board) frame(foot string) string {
	b.scroll(0)
	var out strings.Builder
	out.WriteString(screenHome)
	end := min(len(b.lines), b.top+b.room())
	for _, line := range b.lines[b.top:end] {
		out.WriteString(clip(line, b.width) + lineRest + "\n")
	}
	for range b.room() - (end - b.top) {
		out.WriteString(lineRest + "\n")
	}
	if end < len(b.lines) {
		foot = fmt.Sprintf("-- %d more below -- %s", len(b.lines)-end, foot)
	}
	out.WriteString(clip(foot, b.width-1) + lineRest + screenRest)
	return out.String()
}

// clip shortens a line to a width; escape sequences take no room, and colours end with it.
func clip(line string, width int) string {
	var out strings.Builder
	n, coloured := 0, false
	for i := 0; i < len(line); {
		if line[i] == '\x1b' {
			end := strings.IndexByte(line[i:], 'm')
			if end < 0 {
				break
			}
			out.WriteString(line[i : i+end+1])
			coloured = line[i:i+end+1] != "\x1b[0m"
			i += end + 1
			continue
		}
		r, size := utf8.DecodeRuneInString(line[i:])
		if r == '\t' {
			r = ' '
		}
		if n == width {
			break
		}
		if r >= ' ' { // other control characters could move the cursor
			out.WriteRune(r)
			n++
		}
		i += size
	}
	if coloured {
		out.WriteString("\x1b[0m")
	}
	return out.String()
}

// progress draws how far a transition is, with what is under way and for how long.
func progress(t api.Transition, since map[string]time.Time, now time.Time, paint painter) []string {
	if !t.Running && len(t.Pending) == 0 {
		return nil
	}
	const cells = 30
	done := 0
	if t.Total > 0 {
		done = min(cells, t.Done*cells/t.Total)
	}
	out := []string{fmt.Sprintf("Working: [%s%s] %d of %d done", paint.good(strings.Repeat("#", done)), strings.Repeat(".", cells-done), t.Done, t.Total)}
	waiting := 0
	for _, a := range t.Pending {
		if !a.InFlight {
			waiting++
			continue
		}
		text := "  > " + actionText(a)
		if began, ok := since[actionText(a)]; ok {
			text += fmt.Sprintf("  %ds", int(now.Sub(began).Seconds()))
		}
		if a.Reason != "" {
			text += "  (" + a.Reason + ")"
		}
		out = append(out, paint.warn(text))
	}
	if waiting > 0 {
		out = append(out, fmt.Sprintf("    %s", plural(waiting, "more action")+" to come"))
	}
	return append(out, "")
}

// underWay keeps, for each action in flight, when it was first seen.
func underWay(known map[string]time.Time, t api.Transition, now time.Time) map[string]time.Time {
	out := map[string]time.Time{}
	for _, a := range t.Pending {
		if !a.InFlight {
			continue
		}
		name := actionText(a)
		began, ok := known[name]
		switch {
		case !a.Since.IsZero():
			began = a.Since
		case !ok:
			began = now
		}
		out[name] = began
	}
	return out
}
