package watchdog

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"time"
)

// standIn is a timer behind a unix socket, for machines whose power something else than a circuit controls: containers,
// test beds. Lines of text, each answered by "ok", or by words that say why not:
//
//	arm MILLISECONDS    count to that, from now
//	feed                start the count anew
//	disarm              count no more
//	reset WHY           end the machine now
//	off WHY             the same, and leave it without power
//
// The end of the connection changes nothing: a count that was not disarmed goes on.
type standIn struct {
	conn    net.Conn
	answers *bufio.Reader
	timeout time.Duration
}

func openStandIn(path string, timeout time.Duration) (*standIn, error) {
	conn, err := net.DialTimeout("unix", path, standInWait)
	if err != nil {
		return nil, fmt.Errorf("open watchdog: %w", err)
	}
	s := &standIn{conn: conn, answers: bufio.NewReader(conn), timeout: timeout}
	if err := s.say(fmt.Sprintf("arm %d", timeout.Milliseconds())); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

func (s *standIn) say(line string) error {
	what, _, _ := strings.Cut(line, " ")
	if err := s.conn.SetDeadline(time.Now().Add(standInWait)); err != nil {
		return fmt.Errorf("watchdog stand-in: %s: %w", what, err)
	}
	if _, err := fmt.Fprintln(s.conn, line); err != nil {
		return fmt.Errorf("watchdog stand-in: %s: %w", what, err)
	}
	answer, err := s.answers.ReadString('\n')
	if err != nil {
		return fmt.Errorf("watchdog stand-in: %s: %w", what, err)
	}
	if answer = strings.TrimSpace(answer); answer != "ok" {
		return fmt.Errorf("watchdog stand-in: %s: %s", what, answer)
	}
	return nil
}

func (s *standIn) Feed() error            { return s.say("feed") }
func (s *standIn) Timeout() time.Duration { return s.timeout }

func (s *standIn) Reset(reason string) error {
	return s.say("reset " + strings.Join(strings.Fields(reason), " "))
}

func (s *standIn) Off(reason string) error {
	return s.say("off " + strings.Join(strings.Fields(reason), " "))
}

func (s *standIn) Close(disarm bool) error {
	var err error
	if disarm {
		err = s.say("disarm")
	}
	if e := s.conn.Close(); err == nil {
		err = e
	}
	return err
}
