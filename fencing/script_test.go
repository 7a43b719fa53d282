package fencing

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the outcomes in testdata")

// TestScripts runs the scripts in testdata. A script is blocks of commands, a line "----", the outcome and an empty line;
// -update rewrites the outcomes. The commands:
//
//	device ID [active=N,N] [banned=N] [actions=A,A] [pcmk_...=V]   a configured device
//	level ID ID                                                    the next level of the topology
//	fence TARGET ACTION live=N,N [timeout=60s] [priority-delay=5s] [seed=1]  begin
//	ok [took=1s]          the order under way succeeds, after some time
//	fail [took=1s] WORDS  it fails
//	lost NODE             a node is lost
//	stale NODE STEP       a success that is not of the order under way
//	wait 10s              time passes; the machine is stepped when it wants to be
//	end                   time passes until it ends
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			s := &script{t: t}
			for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
				commands, _, _ := strings.Cut(block, "----")
				commands = strings.TrimSpace(commands)
				s.out.Reset()
				for line := range strings.Lines(commands) {
					s.command(strings.TrimSpace(line))
				}
				if out.Len() > 0 {
					out.WriteString("\n")
				}
				fmt.Fprintf(&out, "%s\n----\n%s", commands, s.out.String())
			}
			if *update {
				if err := os.WriteFile(f, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := strings.TrimSpace(string(text)) + "\n"; out.String() != want {
				t.Errorf("have:\n%s\nwant:\n%s", out.String(), want)
			}
		})
	}
}

type script struct {
	t   *testing.T
	req Request
	m   *Machine
	now time.Time
	ask *Ask
	out strings.Builder
}

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (s *script) command(line string) {
	words := strings.Fields(line)
	if len(words) == 0 || strings.HasPrefix(line, "#") {
		return
	}
	args, options := []string{}, map[string]string{}
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			options[k] = strings.ReplaceAll(v, "_", " ")
			if !strings.HasPrefix(k, "pcmk_") {
				options[k] = v
			}
		} else {
			args = append(args, w)
		}
	}
	took, _ := time.ParseDuration(options["took"])
	switch words[0] {
	case "device":
		d := Device{ID: args[0], Agent: "fence_" + args[0], Params: map[string]string{}}
		d.ActiveOn, d.Banned, d.Actions = list(options["active"]), list(options["banned"]), list(options["actions"])
		for k, v := range options {
			if strings.HasPrefix(k, "pcmk_") {
				d.Params[k] = v
			}
		}
		s.req.Devices = append(s.req.Devices, d)
	case "level":
		s.req.Levels = append(s.req.Levels, args)
	case "fence":
		seed, _ := strconv.ParseUint(options["seed"], 10, 64)
		s.req.Number, s.req.Term, s.req.View = 7, 3, 11
		s.req.Target, s.req.Action, s.req.Live = args[0], args[1], list(options["live"])
		s.req.Timeout, _ = time.ParseDuration(options["timeout"])
		s.req.PriorityDelay, _ = time.ParseDuration(options["priority-delay"])
		s.req.Rand = rand.New(rand.NewPCG(seed, seed))
		s.m, s.now, s.ask = NewMachine(s.req), t0, nil
		s.step(nil)
	case "ok", "fail":
		if s.ask == nil {
			s.t.Fatalf("%s: no order is under way", line)
		}
		s.wait(took)
		if s.ask == nil {
			fmt.Fprintln(&s.out, "(no order is under way any more)")
			return
		}
		o := s.ask.Order
		s.step(Result{Term: o.Term, Fence: o.Fence, Step: o.Step, Node: s.ask.Node, OK: words[0] == "ok", Detail: strings.Join(args, " ")})
	case "lost":
		s.step(NodeLost{Node: args[0]})
	case "stale":
		n, _ := strconv.Atoi(args[1])
		s.step(Result{Term: 3, Fence: 7, Step: n, Node: args[0], OK: true})
	case "wait":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			s.t.Fatal(err)
		}
		s.wait(d)
	case "end":
		s.wait(s.m.End().Sub(s.now))
	default:
		s.t.Fatalf("unknown command %q", line)
	}
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
}

func (s *script) wait(d time.Duration) {
	until := s.now.Add(d)
	for !s.m.over && !s.m.Deadline().After(until) {
		if s.m.Deadline().After(s.now) {
			s.now = s.m.Deadline()
		}
		s.step(nil)
	}
	s.now = until
}

func (s *script) step(ev Event) {
	effects := s.m.Step(s.now, ev)
	for _, e := range effects {
		fmt.Fprintf(&s.out, "%s %s\n", s.now.Sub(t0), describe(e))
		switch e := e.(type) {
		case Ask:
			s.ask = &e
		case Done:
			s.ask = nil
		}
	}
	if len(effects) == 0 && s.m.pending == nil {
		s.ask = nil
	}
}

func describe(e Effect) string {
	switch e := e.(type) {
	case Ask:
		o := e.Order
		text := fmt.Sprintf("ask %s: %d. %s %s %s, budget %s", e.Node, o.Step, o.Device.ID, o.Action, o.Target, o.Budget.Round(time.Millisecond))
		if o.Delay > 0 {
			text += fmt.Sprintf(", delay %s", o.Delay.Round(time.Millisecond))
		}
		return text
	case Done:
		if e.OK {
			text := fmt.Sprintf("done by %s on %s", e.Device, e.Node)
			if e.Detail != "" {
				text += ": " + e.Detail
			}
			return text
		}
		if e.Blocked != "" {
			return "blocked: " + e.Blocked
		}
		return "failed: " + e.Detail
	}
	return "?"
}
