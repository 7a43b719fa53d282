package cib

import "testing"

func TestParseScore(t *testing.T) {
	for text, want := range map[string]int{
		"0": 0, "5": 5, "-5": -5, "+5": 5, " 7 ": 7, "INFINITY": Infinity, "+INFINITY": Infinity, "-INFINITY": -Infinity, "infinity": Infinity,
		"1000000": Infinity, "1000001": Infinity, "-99999999999999999999": -Infinity, "99999999999999999999": Infinity,
		"1.5": 1, "1e3": 1, "0x10": 0, "5x": 5, "-2.0": -2,
	} {
		if got, err := ParseScore(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "inf", "x", "--1", "+-1", "-", "INFINITY1"} {
		if got, err := ParseScore(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}

func TestAddScores(t *testing.T) {
	for _, test := range []struct{ a, b, want int }{
		{1, 2, 3}, {Infinity, -1, Infinity}, {-Infinity, Infinity, -Infinity}, {Infinity, -Infinity, -Infinity}, {999999, 999999, Infinity},
		{-999999, -2, -Infinity}, {Infinity, Infinity, Infinity},
	} {
		if got := AddScores(test.a, test.b); got != test.want {
			t.Errorf("%d + %d = %d, want %d", test.a, test.b, got, test.want)
		}
		if AddScores(test.a, test.b) != AddScores(test.b, test.a) {
			t.Errorf("%d + %d depends on the order", test.a, test.b)
		}
	}
}

func TestParseMilliseconds(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "10": 10000, "10s": 10000, "10 sec": 10000, "500ms": 500, "500msec": 500, "1500us": 1, "2min": 120000, "2m": 120000, "1h": 3600000,
		"1hr": 3600000, "2hours": 7200000, "5 min": 300000, "1.5s": 1000, "P10S": 10000, "-1": -1000, "PT1M": 60000, "PT1M30S": 90000, "P1D": 86400000, "P1W": 604800000, "P1MT1M": 30*86400000 + 60000,
		"PT10S": 10000, "10S": 10000, "10MS": 10, "P100Y": timeMaxMS,
	} {
		if got, err := ParseMilliseconds(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "s", "1d", "10x", ".5s", "1.x", "P", "PT", "P1", "PM", "P1H", "PT1D", "P1T1MT1M", "99999999999999999999", "1000000000h", "P101Y", "P99Y24M"} {
		if got, err := ParseMilliseconds(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}

func TestParseBool(t *testing.T) {
	for text, want := range map[string]bool{"true": true, "Yes": true, "1": true, "on": true, "y": true, "FALSE": false, "no": false, "0": false, "off": false, "n": false} {
		if got, err := ParseBool(text); err != nil || got != want {
			t.Errorf("%q: got %t, %v", text, got, err)
		}
	}
	if _, err := ParseBool("maybe"); err == nil {
		t.Error("maybe is a boolean")
	}
}

func TestOptionAnswersToBothGenerations(t *testing.T) {
	c := &CIB{}
	c.Configuration.Options = []NVSet{
		{ID: "high", Score: "10", Pairs: []NVPair{{Name: "stonith-action", Value: "off"}, {Name: "batch-limit", Value: "1"}}},
		{ID: BootstrapSet, Pairs: []NVPair{{Name: "stop-orphan-resources", Value: "false"}, {Name: "batch-limit", Value: "2"}}},
		{ID: "night", Score: "INFINITY", Rule: &Rule{}, Pairs: []NVPair{{Name: "batch-limit", Value: "3"}}},
	}
	for name, want := range map[string]string{
		"fencing-action": "off", "stonith-action": "off", "stop-removed-resources": "false", "batch-limit": "2", "no-quorum-policy": "",
	} {
		if got, _ := c.Option(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestNear(t *testing.T) {
	known := []string{"no-quorum-policy", "maintenance-mode", "vip", "web"}
	for name, want := range map[string]string{"no-qourum-policy": "no-quorum-policy", "maintenence-mode": "maintenance-mode", "wbe": "web", "vip": "", "zzz": "", "WEB": "web"} {
		if got := Near(name, known); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
