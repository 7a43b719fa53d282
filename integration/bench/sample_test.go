package main

import (
	"testing"
	"time"
)

func TestSample(t *testing.T) {
	var s sample
	if s.at(0.5) != 0 {
		t.Error("a sample of nothing has a median")
	}
	for i := 20; i >= 1; i-- {
		s = append(s, time.Duration(i)*time.Second)
	}
	for share, want := range map[float64]time.Duration{0: 1, 0.5: 10, 0.95: 19, 0.99: 20, 1: 20} {
		if got := s.at(share); got != want*time.Second {
			t.Errorf("at %v: %v, want %d s", share, got, want)
		}
	}
	if got := s[:1].row(); got != "20000 | 20000 | 20000 | 20000" {
		t.Errorf("row: %s", got)
	}
	if got := ms(2500 * time.Microsecond); got != "2.5" {
		t.Errorf("ms: %s", got)
	}
}
