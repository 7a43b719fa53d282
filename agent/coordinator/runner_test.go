package coordinator

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/agent/quorum"
	"paceline/agent/scheduler"
	"paceline/agent/transition"
	"paceline/fencing"
)

// stage is an Outside in memory, of node a alone.
type stage struct {
	mu     sync.Mutex
	snap   Snapshot
	dial   func(ctx context.Context) (Session, SessionUp, error)
	refuse func(ctx context.Context) error // nil: everything is committed
}

func (s *stage) Apply(ctx context.Context, ch cib.Change) (Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.snap, s.refuse(ctx)
	}
	next, err := cib.Apply(s.snap.CIB, ch)
	if err == nil {
		s.snap = Snapshot{Revision: s.snap.Revision + 1, CIB: next}
	}
	return s.snap, err
}

func (s *stage) Dial(ctx context.Context, _, _ string, _ uint64) (Session, SessionUp, error) {
	return s.dial(ctx)
}
func (s *stage) ChangeVoters(context.Context, quorum.Step, string) ([]string, error) { return nil, nil }
func (s *stage) Views(ctx context.Context) <-chan membership.View {
	out := make(chan membership.View)
	context.AfterFunc(ctx, func() { close(out) })
	return out
}

func (s *stage) Record(Effect) {}

// wired is a session whose events wait for a reader, as those of real ones do.
type wired struct {
	events chan Event
	closed chan struct{}
	once   sync.Once
}

func newWired() *wired { return &wired{events: make(chan Event), closed: make(chan struct{})} }

func (w *wired) Send(transition.Order) error   { return nil }
func (w *wired) SendFence(fencing.Order) error { return nil }
func (w *wired) Ack(int64) error               { return nil }
func (w *wired) Inform(*cib.CIB) error         { return nil }
func (w *wired) Events() <-chan Event          { return w.events }
func (w *wired) Close() error                  { w.once.Do(func() { close(w.closed) }); return nil }

func lead(s *stage) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	view := membership.View{Seq: 1, Members: []membership.Member{member("a", "boot1", "inc1")}}
	r := NewRunner(Config{
		Self: "a", SelfID: "id-a", Timing: TimingFor(time.Second, 5*time.Second), Rand: rand.New(rand.NewPCG(1, 2)),
		Plan: func(*cib.CIB, time.Time) *scheduler.Result { return &scheduler.Result{Graph: &transition.Graph{}} },
	}, s, slog.New(slog.NewTextHandler(io.Discard, nil)), func() {})
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx, Elected{Term: 1, Snapshot: s.snap, View: view, Voters: []string{"id-a"}})
	}()
	return func() { cancel(); <-done }
}

// A session that opens while the term ends leaves nobody behind who waits for a reader of its events: the daemon could not end.
func TestASessionThatOpensTooLateIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWired()
		told := false
		s := &stage{snap: Snapshot{CIB: &cib.CIB{}}}
		s.dial = func(ctx context.Context) (Session, SessionUp, error) {
			<-ctx.Done() // and it succeeds all the same
			go func() {
				<-w.closed
				w.events <- SessionDown{Node: "a", Why: "closed"}
				told = true
				close(w.events)
			}()
			return w, SessionUp{Node: "a", ID: "id-a", Boot: "boot1", Incarnation: "inc1"}, nil
		}
		stop := lead(s)
		synctest.Wait()
		stop()
		synctest.Wait()
		if !told {
			t.Fatal("nobody read the end of the session")
		}
	})
}

// While commits are refused, as when leadership is being handed over, the coordinator tries again, and not as fast as it can.
func TestRefusedCommitsAreSpaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, tries := newWired(), 0
		s := &stage{snap: Snapshot{CIB: &cib.CIB{}}}
		s.dial = func(context.Context) (Session, SessionUp, error) {
			return w, SessionUp{Node: "a", ID: "id-a", Boot: "boot1", Incarnation: "inc1"}, nil
		}
		s.refuse = func(ctx context.Context) error {
			if tries++; tries == 1000 {
				<-ctx.Done() // else time would stand still
			}
			return errors.New("not the leader")
		}
		stop := lead(s)
		time.Sleep(time.Second)
		go func() {
			<-w.closed
			close(w.events)
		}()
		stop()
		if tries < 2 || tries > 25 {
			t.Fatalf("%d commits were tried within a second", tries)
		}
	})
}
