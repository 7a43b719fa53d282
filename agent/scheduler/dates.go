package scheduler

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"paceline/agent/cib"
)

// dateHolds compares the time of planning, and asks for a new plan when the answer is about to change.
func (w *world) dateHolds(x *cib.DateExpr) bool {
	start, hasStart := w.dateBound(x.Start)
	end, hasEnd := w.dateBound(x.End)
	switch x.Operation {
	case "gt":
		if hasStart && !w.now.After(start) {
			w.recheckAt(start.Add(graceSeconds * time.Second))
			return false
		}
		return hasStart
	case "lt":
		if hasEnd && w.now.Before(end) {
			w.recheckAt(end.Add(graceSeconds * time.Second))
			return true
		}
		return false
	case "date_spec":
		return x.Spec != nil && w.specHolds(x.Spec)
	case "in_range", "":
		if !hasEnd && x.Duration != nil && hasStart {
			end, hasEnd = addDuration(start, x.Duration), true
		}
		if !hasStart && !hasEnd {
			return false
		}
		if hasStart && w.now.Before(start) {
			w.recheckAt(start.Add(graceSeconds * time.Second))
			return false
		}
		if hasEnd && w.now.After(end) {
			return false
		}
		if hasEnd {
			w.recheckAt(end.Add(graceSeconds * time.Second))
		}
		return true
	}
	w.problem(fmt.Sprintf("date expression %s: operation %q is unknown; it is taken as false", x.ID, x.Operation))
	return false
}

func (w *world) dateBound(text string) (time.Time, bool) {
	if text == "" {
		return time.Time{}, false
	}
	t, err := parseDate(text)
	if err != nil {
		w.problem(err.Error())
		return time.Time{}, false
	}
	return t, true
}

// dateLayouts are the forms of ISO 8601 that documents use.
var dateLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05 -07:00", "2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 Z", "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04",
	"2006-01-02 15:04 -07:00", "2006-01-02", "2006-002", "20060102", "2006002", "20060102T150405Z", "20060102T150405",
	"20060102T150405-0700", "2006-01-02 15:04:05 -0700", "2006-002 15:04:05", "2006-01",
}

// parseDate reads an ISO 8601 date, with or without time and zone; without a zone it is UTC. Week dates are read too.
func parseDate(text string) (time.Time, error) {
	t := strings.TrimSpace(text)
	for _, layout := range dateLayouts {
		if at, err := time.Parse(layout, t); err == nil {
			return at.UTC(), nil
		}
	}
	if at, ok := parseWeekDate(t); ok {
		return at, nil
	}
	return time.Time{}, fmt.Errorf("%q is not a date: 2026-01-31 and 2026-01-31 12:00:00Z are", text)
}

// parseWeekDate reads YYYY-Www and YYYY-Www-D.
func parseWeekDate(t string) (time.Time, bool) {
	parts := strings.Split(t, "-")
	if len(parts) < 2 || !strings.HasPrefix(parts[1], "W") {
		return time.Time{}, false
	}
	year, err1 := strconv.Atoi(parts[0])
	week, err2 := strconv.Atoi(parts[1][1:])
	day := 1
	var err3 error
	if len(parts) > 2 {
		day, err3 = strconv.Atoi(parts[2])
	}
	if err1 != nil || err2 != nil || err3 != nil || week < 1 || week > 53 || day < 1 || day > 7 {
		return time.Time{}, false
	}
	jan4 := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC) // always in week 1
	monday := jan4.AddDate(0, 0, -(int(jan4.Weekday())+6)%7)
	return monday.AddDate(0, 0, (week-1)*7+day-1), true
}

func addDuration(t time.Time, d *cib.DateSpec) time.Time {
	for _, f := range d.Fields {
		n, err := strconv.Atoi(f.Value)
		if err != nil {
			continue
		}
		switch f.Name {
		case "years":
			t = t.AddDate(n, 0, 0)
		case "months":
			t = t.AddDate(0, n, 0)
		case "weeks":
			t = t.AddDate(0, 0, 7*n)
		case "days":
			t = t.AddDate(0, 0, n)
		case "hours":
			t = t.Add(time.Duration(n) * time.Hour)
		case "minutes":
			t = t.Add(time.Duration(n) * time.Minute)
		case "seconds":
			t = t.Add(time.Duration(n) * time.Second)
		}
	}
	return t
}

// specHolds matches a cron-like specification: every field given must hold.
func (w *world) specHolds(s *cib.DateSpec) bool {
	t := w.now.UTC()
	weekYear, week := t.ISOWeek()
	weekday := int(t.Weekday())
	if weekday == 0 {
		weekday = 7
	}
	have := map[string]int{
		"years": t.Year(), "months": int(t.Month()), "monthdays": t.Day(), "hours": t.Hour(), "minutes": t.Minute(),
		"seconds": t.Second(), "yeardays": t.YearDay(), "weekyears": weekYear, "weeks": week, "weekdays": weekday,
	}
	w.recheckAt(w.now.Add(time.Duration(w.opts.recheckMS) * time.Millisecond))
	for _, f := range s.Fields {
		value, known := have[f.Name]
		if !known || !inRange(f.Value, value) {
			return false
		}
	}
	return true
}

// inRange tells whether v is in "3", "3-5", "3-" or "-5".
func inRange(text string, v int) bool {
	low, high, isRange := strings.Cut(text, "-")
	if !isRange {
		n, err := strconv.Atoi(text)
		return err == nil && n == v
	}
	if n, err := strconv.Atoi(low); low != "" && (err != nil || v < n) {
		return false
	}
	if n, err := strconv.Atoi(high); high != "" && (err != nil || v > n) {
		return false
	}
	return true
}
