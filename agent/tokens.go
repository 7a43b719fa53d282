package agent

import (
	"errors"
	"io/fs"
	"sync"
	"time"
)

// tokens are the join tokens that this node issued: hashes of their secrets, each good once and until it expires. They
// are kept in a file, so that a restart does not void what was handed out.
type tokens struct {
	mu   sync.Mutex
	path string
	open map[string]time.Time // hash -> expiry
}

func openTokens(path string) *tokens {
	t := &tokens{path: path, open: map[string]time.Time{}}
	if err := readJSON(path, &t.open); err != nil && !errors.Is(err, fs.ErrNotExist) || t.open == nil {
		t.open = map[string]time.Time{} // unreadable: tokens can be issued anew
	}
	return t
}

func (t *tokens) save(now time.Time) error {
	for h, until := range t.open {
		if !now.Before(until) {
			delete(t.open, h)
		}
	}
	return writeJSON(t.path, 0o600, t.open)
}

func (t *tokens) issue(hash string, expires time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[hash] = expires
	return t.save(time.Now())
}

// redeem uses a token up. It reports false for one that was not issued here, was used, or has expired.
func (t *tokens) redeem(hash string) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	until, ok := t.open[hash]
	if !ok || !now.Before(until) {
		return false, nil
	}
	delete(t.open, hash)
	return true, t.save(now)
}
