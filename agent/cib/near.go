package cib

import (
	"fmt"
	"strings"
)

// Near returns the name of the list that is most like the given one, or "" if none is like enough to be meant: it differs
// by at most a third of its letters.
func Near(name string, known []string) string {
	if len(known) > nearListMax {
		return ""
	}
	best, least := "", len([]rune(name))/3+1
	for _, k := range known {
		if d := editDistance(strings.ToLower(name), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	if best == name {
		return ""
	}
	return best
}

func didYouMean(name string, known []string) string {
	if near := Near(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// editDistance counts the letters to insert, delete, replace or swap with their neighbour.
func editDistance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > nearMax || len(y) > nearMax {
		return nearMax
	}
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
