package watchdog

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// board is a timer as on a board, in virtual time: it notes when the machine would have been reset.
type board struct {
	mu       sync.Mutex
	timeout  time.Duration
	timer    *time.Timer
	dead     time.Time
	disarmed bool
	fed      int
}

func newBoard(timeout time.Duration) *board {
	b := &board{timeout: timeout}
	b.timer = time.AfterFunc(timeout, b.die)
	return b
}

func (b *board) die() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dead.IsZero() {
		b.dead = time.Now()
	}
}

func (b *board) Feed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fed++
	b.timer.Reset(b.timeout)
	return nil
}

func (b *board) Timeout() time.Duration { return b.timeout }
func (b *board) Reset(string) error     { return errors.New("this board has no such button") }
func (b *board) Off(string) error       { return errors.New("nor that one") }

func (b *board) Close(disarm bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if disarm {
		b.disarmed = true
		b.timer.Stop()
	}
	return nil
}

func (b *board) died() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dead
}

const second = time.Second

func armed(t *testing.T, times Times, proofs ...Proof) (*Feeder, *board) {
	t.Helper()
	var b *board
	f := NewFeeder(Config{Times: times, Proofs: proofs, Open: func() (Timer, error) { b = newBoard(times.Timeout); return b, nil }})
	if err := f.Arm(); err != nil {
		t.Fatal(err)
	}
	return f, b
}

var usual = Times{Lease: 5 * second, StopBudget: 5 * second, Timeout: 5 * second}

func TestFedAsLongAsAllIsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, b := armed(t, usual, Proof{"always", func() error { return nil }})
		time.Sleep(time.Hour)
		if !b.died().IsZero() {
			t.Fatal("a machine on which all is well was reset")
		}
		if !f.Close(true) || !b.disarmed {
			t.Error("not disarmed in good order")
		}
		time.Sleep(time.Hour)
		if !b.died().IsZero() {
			t.Error("reset after it was disarmed")
		}
	})
}

// Hardware that counts to less than it was told is fed as often as it wants.
func TestTimerThatCountsToLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(8 * second)
		f := NewFeeder(Config{Times: Times{Lease: second, Timeout: time.Minute}, Open: func() (Timer, error) { return b, nil }})
		if err := f.Arm(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if !b.died().IsZero() {
			t.Error("a machine on which all is well was reset")
		}
		f.Close(true)
	})
}

// A timer that takes its time, or hangs, when it is opened holds up nobody but who arms it.
func TestNobodyWaitsForTheTimerToOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := make(chan Timer)
		f := NewFeeder(Config{Times: usual, Open: func() (Timer, error) { return <-opened, nil }})
		var arming sync.WaitGroup
		arming.Go(func() {
			if err := f.Arm(); err == nil {
				t.Error("armed after the end")
			}
		})
		synctest.Wait()
		done := make(chan bool)
		go func() {
			f.Hold(time.Hour, false, "cut off")
			f.Release()
			f.Close(true)
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Error("they wait")
		}
		b := newBoard(usual.Timeout)
		opened <- b
		arming.Wait()
		time.Sleep(time.Hour)
		if !b.died().IsZero() || !b.disarmed {
			t.Error("what was opened when nobody wanted it any more counts on")
		}
	})
}

func TestProofThatFailsOrHangs(t *testing.T) {
	for _, hang := range []bool{false, true} {
		t.Run(fmt.Sprintf("hang=%v", hang), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				release := make(chan struct{})
				f, b := armed(t, usual, Proof{"executor", func() error {
					switch {
					case time.Since(began) < 10*second:
						return nil
					case hang:
						<-release
					}
					return errors.New("no progress")
				}})
				time.Sleep(10*second + usual.Timeout)
				if b.died().IsZero() {
					t.Error("fed without proof")
				}
				close(release)
				if f.Close(false); b.disarmed {
					t.Error("disarmed")
				}
			})
		})
	}
}

// A feeder whose process is killed leaves the timer counting.
func TestNoDisarmUnlessAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, b := armed(t, usual)
		time.Sleep(second)
		if f.Close(false) {
			t.Error("it says that it disarmed")
		}
		time.Sleep(usual.Timeout + second)
		if b.died().IsZero() {
			t.Error("the timer does not count after the feeder has ended")
		}
	})
}

func TestCondemnedIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, b := armed(t, usual)
		time.Sleep(2 * second)
		if err := f.Condemn("the operator wants it"); err == nil {
			t.Error("the board has no button, and nobody says so")
		}
		f.Release()
		if f.Close(true) || b.disarmed {
			t.Error("a condemned node disarmed its watchdog")
		}
		time.Sleep(usual.Timeout + second)
		if b.died().IsZero() {
			t.Error("a condemned node lives on")
		}
		if err := f.Arm(); err != nil {
			return
		}
		if f.State().Condemned == "" {
			t.Error("the reason is forgotten")
		}
	})
}

func TestHold(t *testing.T) {
	for _, tc := range []struct {
		name             string
		binding, release bool
		dies             bool
	}{
		{"stopped in time", false, true, false},
		{"not stopped in time", false, false, true},
		{"others count on its death", true, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, b := armed(t, usual)
				time.Sleep(2 * second)
				at := time.Now()
				f.Hold(3*second, tc.binding, "cut off")
				time.Sleep(second)
				if tc.release {
					f.Release()
				}
				time.Sleep(time.Minute)
				if died := !b.died().IsZero(); died != tc.dies {
					t.Errorf("died: %v, want %v", died, tc.dies)
				}
				if tc.dies && b.died().Sub(at) > 3*second+usual.Timeout {
					t.Errorf("dead %v after the hold began", b.died().Sub(at))
				}
				f.Close(!tc.dies)
			})
		})
	}
}

// However a node is cut off, paused and looked at by its coordinators, it is dead within PresumedDead of the last tie that the
// newest of them can know of.
func TestPresumedDeadHolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	draw := func(most time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(most) + 1)) }
	for range 20000 {
		times := Times{Lease: second + draw(20*second), StopBudget: draw(10 * second), Timeout: TimeoutMin + draw(20*second)}
		var g Guard
		start := time.Unix(0, 0)
		// A coordinator that was paused renews once more, within the lease that it had given.
		due := start.Add(draw(times.Lease)).Add(times.Lease)
		fed := start
		now := start
		held := false
		for {
			pause := draw(times.Timeout / roundsPerTimeout)
			if rng.IntN(10) == 0 {
				pause = draw(times.Timeout + second)
			}
			now = now.Add(pause)
			if now.Sub(fed) >= times.Timeout {
				break // reset
			}
			if !held && !now.Before(due) {
				g.Hold(now.Add(max(times.StopBudget-now.Sub(due), 0)), true, "cut off")
				held = true
			}
			if ok, _ := g.MayFeed(now); !ok {
				if now.Sub(start) > times.PresumedDead() {
					t.Fatalf("%+v: lives %v after its last tie, presumed dead after %v", times, now.Sub(start), times.PresumedDead())
				}
				continue
			}
			// Between the look at the clock and the feeding the process may stand still.
			now = now.Add(draw(times.Timeout / 2))
			if now.Sub(fed) >= times.Timeout {
				break
			}
			fed = now
		}
		if dead := fed.Add(times.Timeout).Sub(start); dead > times.PresumedDead() {
			t.Fatalf("%+v: dead %v after its last tie, presumed dead after %v", times, dead, times.PresumedDead())
		}
	}
}

func TestTimesSay(t *testing.T) {
	if got, want := usual.PresumedDead(), 27*second; got != want {
		t.Errorf("presumed dead after %v, want %v", got, want)
	}
	if (Times{Lease: second, Timeout: second}).Check() == nil || (Times{Timeout: 5 * second}).Check() == nil {
		t.Error("times that cannot be are taken")
	}
}

func TestStandIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 10)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for s := bufio.NewScanner(c); s.Scan(); {
			got <- s.Text()
			answer := "ok"
			if strings.HasPrefix(s.Text(), "reset") {
				answer = "no"
			}
			fmt.Fprintln(c, answer)
		}
		close(got)
	}()
	timer, err := Open(StandInPrefix+path, 5*second, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := timer.Feed(); err != nil {
		t.Error(err)
	}
	if err := timer.Reset("two\nlines"); err == nil || !strings.Contains(err.Error(), "no") {
		t.Errorf("a refused reset: %v", err)
	}
	if err := timer.Off("for good"); err != nil {
		t.Error(err)
	}
	if err := timer.Close(true); err != nil {
		t.Error(err)
	}
	var lines []string
	for s := range got {
		lines = append(lines, s)
	}
	if want := "arm 5000, feed, reset two lines, off for good, disarm"; strings.Join(lines, ", ") != want {
		t.Errorf("the stand-in heard %q, want %q", strings.Join(lines, ", "), want)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for _, tc := range []struct {
		name         string
		timeout, pre time.Duration
		want         string
	}{
		{"/nonexistent/watchdog", 5 * second, 0, "/nonexistent/watchdog"},
		{"/dev/null", 5 * second, 0, "it is none"},
		{"/dev/watchdog", time.Millisecond, 0, "is allowed"},
		{"/dev/watchdog", 5 * second, 6 * second, "pretimeout"},
	} {
		if _, err := Open(tc.name, tc.timeout, tc.pre); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("open %s: %v, want an error with %q", tc.name, err, tc.want)
		}
	}
}
