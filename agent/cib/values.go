package cib

import (
	"fmt"
	"strconv"
	"strings"
)

// Infinity is the greatest score; its negative forbids. Scores saturate there.
const Infinity = 1000000

// ParseScore interprets a score: an integer, or INFINITY with an optional sign, in any case. Greater amounts saturate at
// ±Infinity. Of a text that goes on after an integer ("1.0") the integer counts, as in Pacemaker; Known.Check is stricter. A score
// that cannot be read at all is an error, and its value is 0.
func ParseScore(text string) (int, error) {
	t := strings.TrimSpace(text)
	switch strings.ToLower(t) {
	case "infinity", "+infinity":
		return Infinity, nil
	case "-infinity":
		return -Infinity, nil
	}
	t = leadingInteger(t)
	if t == "" {
		return 0, fmt.Errorf("%q is not a score: an integer, INFINITY or -INFINITY is", text)
	}
	n, err := strconv.Atoi(t)
	switch {
	case err != nil && t[0] == '-': // only the range can be wrong
		n = -Infinity
	case err != nil:
		n = Infinity
	}
	return clampScore(n), nil
}

// leadingInteger returns the integer that the text begins with, sign included, or "".
func leadingInteger(t string) string {
	digits := 0
	for i := range len(t) {
		if t[i] < '0' || t[i] > '9' {
			if i == 0 && (t[i] == '+' || t[i] == '-') {
				continue
			}
			break
		}
		digits = i + 1
	}
	return t[:digits]
}

// FormatScore is the inverse of ParseScore.
func FormatScore(score int) string {
	switch {
	case score >= Infinity:
		return "INFINITY"
	case score <= -Infinity:
		return "-INFINITY"
	}
	return strconv.Itoa(score)
}

// AddScores adds as Pacemaker does: -INFINITY wins over everything, INFINITY over the rest, and sums saturate.
func AddScores(a, b int) int {
	switch {
	case a <= -Infinity || b <= -Infinity:
		return -Infinity
	case a >= Infinity || b >= Infinity:
		return Infinity
	}
	return clampScore(a + b)
}

func clampScore(n int) int {
	return max(-Infinity, min(Infinity, n))
}

// ParseBool interprets a boolean: true, yes, y, on, 1 and their opposites, in any case.
func ParseBool(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "yes", "y", "on", "1":
		return true, nil
	case "false", "no", "n", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is not a boolean: true and false are", text)
}

// Milliseconds of the units that intervals are written in.
const (
	msSecond = 1000
	msMinute = 60 * msSecond
	msHour   = 60 * msMinute
	msDay    = 24 * msHour // in ISO 8601 durations alone, as in Pacemaker
)

// ParseMilliseconds interprets an amount of time: a number with a unit (us, ms, s, min, h and their longer names; none
// means seconds), or an ISO 8601 duration, in which a month counts 30 days and a year 365. Of a fraction the whole part
// counts. A negative number is allowed: some options use it as "derive it".
func ParseMilliseconds(text string) (int64, error) {
	t := strings.TrimSpace(text)
	if strings.HasPrefix(t, "P") || strings.HasPrefix(t, "p") {
		return parseISODuration(text, t[1:])
	}
	number := leadingInteger(t)
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, notDuration(text)
	}
	rest := t[len(number):]
	if fraction := strings.TrimLeft(strings.TrimPrefix(rest, "."), "0123456789"); strings.HasPrefix(rest, ".") {
		rest = fraction
	}
	var unit int64
	switch strings.ToLower(strings.TrimSpace(rest)) {
	case "us", "usec":
		return n / 1000, nil
	case "ms", "msec":
		return n, nil
	case "", "s", "sec", "secs", "second", "seconds":
		unit = msSecond
	case "m", "min", "mins", "minute", "minutes":
		unit = msMinute
	case "h", "hr", "hrs", "hour", "hours":
		unit = msHour
	default:
		return 0, notDuration(text)
	}
	return scaleMilliseconds(text, n, unit)
}

func notDuration(text string) error {
	return fmt.Errorf("%q is not an amount of time: 30s, 500ms, 2min, 1h or PT1M are", text)
}

func scaleMilliseconds(text string, n, unit int64) (int64, error) {
	if n > timeMaxMS/unit || n < -timeMaxMS/unit {
		return 0, fmt.Errorf("%q is too long: at most 100 years", text)
	}
	return n * unit, nil
}

// parseISODuration reads what follows the P.
func parseISODuration(text, t string) (int64, error) {
	var total int64
	inTime, any := false, false
	for t != "" {
		if t[0] == 'T' || t[0] == 't' {
			if inTime {
				return 0, notDuration(text)
			}
			inTime, t = true, t[1:]
			continue
		}
		end := len(t) - len(strings.TrimLeft(t, "0123456789"))
		if end == 0 || end == len(t) {
			return 0, notDuration(text)
		}
		n, err := strconv.ParseInt(t[:end], 10, 64)
		unit := isoUnit(t[end], inTime)
		if err != nil || unit == 0 {
			return 0, notDuration(text)
		}
		ms, err := scaleMilliseconds(text, n, unit)
		if err != nil {
			return 0, err
		}
		total += ms
		if total > timeMaxMS {
			return 0, fmt.Errorf("%q is too long: at most 100 years", text)
		}
		any, t = true, t[end+1:]
	}
	if !any {
		return 0, notDuration(text)
	}
	return total, nil
}

func isoUnit(letter byte, inTime bool) int64 {
	switch letter {
	case 'Y', 'y':
		if !inTime {
			return 365 * msDay
		}
	case 'M', 'm':
		if inTime {
			return msMinute
		}
		return 30 * msDay
	case 'W', 'w':
		if !inTime {
			return 7 * msDay
		}
	case 'D', 'd':
		if !inTime {
			return msDay
		}
	case 'H', 'h':
		if inTime {
			return msHour
		}
	case 'S', 's':
		return msSecond // also before the T, as Pacemaker reads P10S
	}
	return 0
}
