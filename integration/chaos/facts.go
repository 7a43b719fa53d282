package main

import (
	"time"

	"paceline/agent/audit"
	"paceline/agent/executor"
	"paceline/integration/lab"
	"paceline/resources"
)

// acts says that a line tells of an operation that changes something.
func acts(e executor.Entry) bool {
	return e.Kind == executor.KindBegin && e.Operation != resources.Monitor && (e.Action == nil || e.Action.Agent.Class != "stonith")
}

// Recovery is what followed on a loss of power: times since the cut.
type Recovery struct {
	Node                      string
	Detected, Fenced, Started time.Duration // a fencing began; it succeeded; the first start after it ended
}

// Recoveries finds, for each power cut that nobody at the switch asked for, what followed on it.
func Recoveries(facts []audit.Fact, cuts []lab.PowerEvent) []Recovery {
	var out []Recovery
	for _, cut := range cuts {
		if cut.What != "cut" || cut.By != "operator" {
			continue
		}
		rec := Recovery{Node: cut.Node}
	facts:
		for _, f := range facts {
			since := f.At - cut.Mono
			switch {
			case since <= 0:
			case f.Kind == audit.Member && f.Node == cut.Node:
				break facts // it is back
			case f.Kind == audit.FenceSent && f.Target == cut.Node && rec.Detected == 0:
				rec.Detected = since
			case f.Kind == audit.Fenced && f.Node == cut.Node && rec.Fenced == 0:
				rec.Fenced = since
			case f.Kind == audit.End && f.Operation == resources.Start && f.RC == 0 && rec.Fenced != 0 && rec.Started == 0:
				rec.Started = since
			}
		}
		if rec.Fenced != 0 {
			out = append(out, rec)
		}
	}
	return out
}
