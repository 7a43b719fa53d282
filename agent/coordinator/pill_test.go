package coordinator

import (
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/fencing"
)

// poisoned is a world whose nodes send each other poison pills, and which they announced but c, whose word is told.
func poisoned(t *testing.T, wait time.Duration) *world {
	w := newWorld(t, "a", "b", "c")
	configuration := w.snap.CIB.Configuration
	configuration.Resources = []*cib.Resource{{
		ID: "pill", Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "stonith", Type: PillAgent},
		Params: []cib.NVSet{{ID: "p", Pairs: []cib.NVPair{{ID: "p-h", Name: "pcmk_host_list", Value: "a b c"}}}},
	}}
	c, err := cib.Apply(w.snap.CIB, cib.Change{Configure: &cib.Configure{Configuration: configuration}})
	if err != nil {
		t.Fatal(err)
	}
	w.snap.CIB = c
	w.step(Changed{Snapshot: w.snap, Why: "a test"})
	for _, n := range []string{"a", "b", "c"} {
		w.step(SessionUp{Node: n, ID: "id-" + n, Boot: "boot1", Incarnation: "inc1", PillWait: wait})
	}
	return w
}

// The pill is for the very boot that the target announced, and it is not tied to a coordinator meanwhile.
func TestAPillIsAimedAtTheBootThatWasAnnounced(t *testing.T) {
	w := poisoned(t, 16*time.Second)
	if got := attribute(w.state("c"), cib.PillAttribute); got != "boot1 16000" {
		t.Fatalf("the status says %q", got)
	}
	w.fenceC()
	o := w.fences[len(w.fences)-1].Order
	if o.Action != fencing.Reboot || o.Device.Params[fencing.BootParameter] != "boot1" {
		t.Fatalf("order %+v", o)
	}
	if w.core.isUp("c") {
		t.Error("c has a session, and would live on without its shared disks")
	}
	w.answerFence()
	if w.state("c").Fenced == "" {
		t.Error("c is not fenced")
	}
}

func TestASessionVoidsAPill(t *testing.T) {
	w := poisoned(t, 16*time.Second)
	w.fenceC()
	w.sleep(time.Second)
	w.step(SessionUp{Node: "c", ID: "id-c", Boot: "boot1", Incarnation: "inc1", PillWait: 16 * time.Second})
	w.answerFence()
	if w.state("c").Fenced != "" || len(w.sent) != 0 {
		t.Error("c counts as dead, and had a session meanwhile")
	}
}

// A daemon that reads the disks no more says so with its next session, and nobody aims at it.
func TestAPillThatNobodyReadsIsNotAimed(t *testing.T) {
	w := poisoned(t, 16*time.Second)
	w.step(SessionUp{Node: "c", ID: "id-c", Boot: "boot1", Incarnation: "inc1"})
	w.sleep(time.Second)
	if got := attribute(w.state("c"), cib.PillAttribute); got != "" {
		t.Errorf("the status says %q", got)
	}
	w.fenceC()
	if o := w.fences[len(w.fences)-1].Order; o.Device.Params[fencing.BootParameter] != "" {
		t.Errorf("aimed at %q", o.Device.Params[fencing.BootParameter])
	}
}
