package store

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

func openDisk(t testing.TB, path string, covered, lost position) *disk {
	t.Helper()
	d, err := tryDisk(path, covered, lost)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func tryDisk(path string, covered, lost position) (*disk, error) {
	db, err := openDatabase(path, nil)
	if err != nil {
		return nil, err
	}
	d, err := inspect(db, covered, lost, slog.New(slog.DiscardHandler))
	if err != nil {
		db.Close()
	}
	return d, err
}

func logs(from, to, term uint64) []*raft.Log {
	var list []*raft.Log
	for i := from; i <= to; i++ {
		list = append(list, &raft.Log{Index: i, Term: term, Type: raft.LogCommand, Data: []byte("data of an entry"), AppendedAt: time.Unix(7, 9)})
	}
	return list
}

func span(t testing.TB, d *disk) [2]uint64 {
	t.Helper()
	for i := d.tail.first; i != 0 && i <= d.tail.last; i++ {
		var l raft.Log
		if err := d.GetLog(i, &l); err != nil || l.Index != i {
			t.Fatalf("entry %d: %+v, %v", i, l, err)
		}
	}
	n := 0
	d.db.View(func(tx *bbolt.Tx) error { n = tx.Bucket(bucketLog).Inspect().KeyN; return nil })
	if want := int(d.tail.last - d.tail.first + 1); d.tail.last != 0 && n != want || d.tail.last == 0 && n != 0 {
		t.Fatalf("%d entries in the file, %d to %d noted", n, d.tail.first, d.tail.last)
	}
	return [2]uint64{d.tail.first, d.tail.last}
}

func TestDiskHoldsTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	d := openDisk(t, path, position{}, position{})
	in := &raft.Log{Index: 1, Term: 2, Type: raft.LogConfiguration, Data: []byte("d"), Extensions: []byte("e"), AppendedAt: time.Unix(3, 4)}
	mustNot(t, d.StoreLog(in))
	mustNot(t, d.StoreLogs(logs(2, 3000, 3)))
	mustNot(t, d.DeleteRange(1, 1999))
	mustNot(t, d.DeleteRange(2500, 9000))
	if got := span(t, d); got != [2]uint64{2000, 2499} {
		t.Fatal(got)
	}
	if err := d.GetLog(1, in); err != raft.ErrLogNotFound {
		t.Fatal(err)
	}
	mustNot(t, d.Set([]byte("k"), []byte("v")))
	mustNot(t, d.SetUint64([]byte("n"), 42))
	if _, err := d.Get([]byte("none")); err == nil || err.Error() != "not found" {
		t.Fatal(err)
	}
	mustNot(t, d.close())
	d = openDisk(t, path, position{3, 1999}, position{})
	if got := span(t, d); got != [2]uint64{2000, 2499} {
		t.Fatal(got)
	}
	v, err := d.Get([]byte("k"))
	n, err2 := d.GetUint64([]byte("n"))
	if string(v) != "v" || n != 42 || err != nil || err2 != nil {
		t.Fatal(v, n, err, err2)
	}
	mustNot(t, d.StoreLogs(logs(5000, 5001, 4))) // as after a snapshot from a leader
	if got := span(t, d); got != [2]uint64{5000, 5001} {
		t.Fatal(got)
	}
	mustNot(t, d.DeleteRange(5000, 5001))
	if got := span(t, d); got != [2]uint64{0, 0} {
		t.Fatal(got)
	}
	mustNot(t, d.close())
}

func TestLogEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := &raft.Log{
			Index: rapid.Uint64().Draw(t, "index"), Term: rapid.Uint64().Draw(t, "term"), Type: raft.LogType(rapid.Byte().Draw(t, "type")),
			Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data"), Extensions: rapid.SliceOf(rapid.Byte()).Draw(t, "extensions"),
		}
		if rapid.Bool().Draw(t, "time") {
			in.AppendedAt = time.Unix(0, rapid.Int64Range(1, 1<<62).Draw(t, "at"))
		}
		var out raft.Log
		if err := decodeLog(in.Index, encodeLog(in), &out); err != nil {
			t.Fatal(err)
		}
		if !out.AppendedAt.Equal(in.AppendedAt) {
			t.Fatalf("%v, %v", in.AppendedAt, out.AppendedAt)
		}
		in.AppendedAt, out.AppendedAt = time.Time{}, time.Time{}
		if !same(in, &out) {
			t.Fatalf("%+v became %+v", in, out)
		}
	})
}

func FuzzDecodeLog(f *testing.F) {
	f.Add(encodeLog(logs(1, 1, 1)[0]))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var l raft.Log
		if decodeLog(1, data, &l) == nil && string(encodeLog(&l)) != string(data) {
			t.Fatalf("%x became %x", data, encodeLog(&l))
		}
	})
}

// damage breaks entries in the file.
func damage(t testing.TB, path string, how func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(how), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func flip(bucket, key []byte) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		v := append([]byte(nil), tx.Bucket(bucket).Get(key)...)
		v[len(v)-1] ^= 1
		return tx.Bucket(bucket).Put(key, v)
	}
}

func TestDamageIsRecognised(t *testing.T) {
	none := position{}
	for _, c := range []struct {
		name          string
		covered, lost position
		how           func(*bbolt.Tx) error
		span          [2]uint64
		debt          position
		refused       bool
	}{
		{name: "none", how: func(*bbolt.Tx) error { return nil }, span: [2]uint64{1, 20}},
		{name: "last entry", how: flip(bucketLog, indexKey(20)), span: [2]uint64{1, 19}, debt: position{2, 20}},
		{name: "entry in the middle", how: flip(bucketLog, indexKey(7)), span: [2]uint64{1, 6}, debt: position{2, 20}},
		{name: "first entry", how: flip(bucketLog, indexKey(1)), debt: position{2, 20}},
		{name: "missing entry", how: func(tx *bbolt.Tx) error { return tx.Bucket(bucketLog).Delete(indexKey(9)) }, span: [2]uint64{1, 8}, debt: position{2, 20}},
		{name: "entry under another index", span: [2]uint64{1, 4}, debt: position{2, 20}, how: func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketLog).Put(indexKey(5), tx.Bucket(bucketLog).Get(indexKey(6)))
		}},
		{name: "covered by a snapshot", covered: position{1, 8}, how: flip(bucketLog, indexKey(7)), span: [2]uint64{8, 20}},
		{name: "all covered by a snapshot", covered: position{2, 20}, how: flip(bucketLog, indexKey(20))},
		{name: "beyond the snapshot", covered: position{1, 8}, how: flip(bucketLog, indexKey(9)), span: [2]uint64{1, 8}, debt: position{2, 20}},
		{name: "newer snapshot lost", lost: position{2, 30}, how: func(*bbolt.Tx) error { return nil }, span: [2]uint64{1, 20}, debt: position{2, 30}},
		{name: "lost snapshot that the log bridges", lost: position{1, 8}, how: func(*bbolt.Tx) error { return nil }, span: [2]uint64{1, 20}},
		{name: "log that does not reach back to the snapshot", covered: position{1, 3}, lost: position{1, 8}, debt: position{2, 20}, how: func(tx *bbolt.Tx) error {
			for i := range uint64(5) {
				if err := tx.Bucket(bucketLog).Delete(indexKey(i + 1)); err != nil {
					return err
				}
			}
			return putTail(tx, tail{first: 6, last: 20, lastTerm: 2})
		}},
		{name: "term", how: flip(bucketStable, []byte(keyTerm)), refused: true},
		{name: "tail record", how: flip(bucketMeta, keyTail), refused: true},
		{name: "entry after the end", how: func(tx *bbolt.Tx) error { return tx.Bucket(bucketLog).Put(indexKey(21), []byte("x")) }, refused: true},
		{name: "format", how: func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketMeta).Put(keyFormat, seal(keyFormat, []byte("paceline-raft/9")))
		}, refused: true},
		{name: "bucket missing", how: func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketLog) }, refused: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "raft.db")
			d := openDisk(t, path, none, none)
			mustNot(t, d.StoreLogs(logs(1, 10, 1)))
			mustNot(t, d.StoreLogs(logs(11, 20, 2)))
			mustNot(t, d.SetUint64([]byte(keyTerm), 2))
			mustNot(t, d.close())
			damage(t, path, c.how)
			d, err := tryDisk(path, c.covered, c.lost)
			if c.refused {
				if err == nil {
					t.Fatal("not refused")
				}
				t.Log(err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := span(t, d); got != c.span || d.owed() != c.debt {
				t.Fatalf("log %v, debt %+v", got, d.owed())
			}
			mustNot(t, d.close())
			d = openDisk(t, path, c.covered, none) // the findings are durable
			if got := span(t, d); got != c.span || d.owed() != c.debt {
				t.Fatalf("the second time: log %v, debt %+v", got, d.owed())
			}
			d.self = []byte("me")
			if err := d.Set([]byte(keyVote), []byte("me")); (err != nil) != (c.debt != none) {
				t.Fatalf("vote for itself: %v", err)
			}
			if c.debt != none {
				mustNot(t, d.Set([]byte(keyVote), []byte("you")))
				mustNot(t, d.StoreLogs(logs(max(d.tail.last, c.covered.Index)+1, 40, 3)))
				if d.owed() != none {
					t.Fatalf("debt left: %+v", d.owed())
				}
			}
			mustNot(t, d.close())
			if d = openDisk(t, path, c.covered, none); d.owed() != none {
				t.Fatalf("debt left in the file: %+v", d.owed())
			}
			mustNot(t, d.close())
		})
	}
}

// A file that ends too early, or whose pages are overwritten, must be refused with a message, not end the process.
func TestDamagedFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "raft.db")
	d := openDisk(t, path, position{}, position{})
	for i := range uint64(200) {
		mustNot(t, d.StoreLogs(logs(i*10+1, i*10+10, 1)))
	}
	mustNot(t, d.close())
	whole, err := os.ReadFile(path)
	mustNot(t, err)
	refused := 0
	for at := 0; at < len(whole); at += 4096 {
		for name, change := range map[string]func([]byte) []byte{
			"truncated": func(b []byte) []byte { return b[:at] },
			"zeroed": func(b []byte) []byte {
				clear(b[at:min(at+4096, len(b))])
				return b
			},
			"garbled": func(b []byte) []byte {
				for i := at; i < min(at+64, len(b)); i++ {
					b[i] ^= 0x5a
				}
				return b
			},
		} {
			bad := filepath.Join(dir, "bad.db")
			mustNot(t, os.WriteFile(bad, change(append([]byte(nil), whole...)), 0o600))
			d, err := tryDisk(bad, position{}, position{})
			if errors.Is(err, errHeld) {
				t.Fatalf("%s at %d: the lock of the one before is held", name, at)
			}
			if err != nil {
				refused++
				continue
			}
			// Not refused: then it holds the log whole, or owes it.
			if got := span(t, d); got != [2]uint64{1, 2000} && d.owed() != (position{1, 2000}) {
				t.Errorf("%s at %d: log %v, debt %+v", name, at, got, d.owed())
			}
			d.close()
		}
	}
	t.Logf("%d of %d damages refused", refused, 3*len(whole)/4096)
	if refused == 0 {
		t.Fatal("none was refused")
	}
}

func TestSecondOpenerIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	d := openDisk(t, path, position{}, position{})
	defer d.close()
	if _, err := openDatabase(path, &bbolt.Options{Timeout: 20 * time.Millisecond}); err == nil {
		t.Fatal("opened twice")
	} else {
		t.Log(err)
	}
}

func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	options := &bbolt.Options{Timeout: time.Second, MaxSize: 1 << 20}
	db, err := openDatabase(path, options)
	mustNot(t, err)
	d, err := inspect(db, position{}, position{}, slog.New(slog.DiscardHandler))
	mustNot(t, err)
	var stored uint64
	for err == nil {
		l := &raft.Log{Index: stored + 1, Term: 1, Data: make([]byte, 32<<10)}
		if err = d.StoreLog(l); err == nil {
			stored++
		}
	}
	t.Log(err)
	select {
	case <-d.failed:
	default:
		t.Fatal("the failure is not told")
	}
	if err := d.Set([]byte(keyVote), []byte("x")); err == nil {
		t.Fatal("a vote was taken after a failed write")
	}
	mustNot(t, d.SetUint64([]byte(keyTerm), 9)) // it would end the process
	mustNot(t, d.close())
	d = openDisk(t, path, position{}, position{})
	defer d.close()
	if got := span(t, d); got != [2]uint64{1, stored} || d.owed() != (position{}) {
		t.Fatalf("log %v of %d, debt %+v", got, stored, d.owed())
	}
	if term, err := d.GetUint64([]byte(keyTerm)); err == nil {
		t.Fatalf("term %d came out of nowhere", term)
	}
}

// raft appends and compacts at the same time: nothing of what was stored behind the compacted part may go.
func TestAppendingWhileCompacting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	d := openDisk(t, path, position{}, position{})
	const entries, kept = 200, 10
	stored := make(chan uint64, entries)
	go func() {
		defer close(stored)
		for i := uint64(1); i <= entries; i++ {
			if err := d.StoreLogs(logs(i, i, 1)); err != nil {
				t.Error(err)
				return
			}
			stored <- i
		}
	}()
	for last := range stored {
		if last > kept {
			mustNot(t, d.DeleteRange(1, last-kept))
		}
	}
	first, err := d.FirstIndex()
	mustNot(t, err)
	if last, err := d.LastIndex(); err != nil || last != entries || first != entries-kept+1 {
		t.Fatalf("entries %d to %d are left, want %d to %d (%v)", first, last, entries-kept+1, entries, err)
	}
	mustNot(t, d.close())
	d = openDisk(t, path, position{1, first - 1}, position{}) // a snapshot covers the rest
	for i := first; i <= entries; i++ {
		var l raft.Log
		mustNot(t, d.GetLog(i, &l))
	}
}

// The log begins anew behind a snapshot, and nowhere else.
func TestLogBeginsAnewBehindASnapshot(t *testing.T) {
	for covered, taken := range map[uint64]bool{0: false, 28: false, 29: true, 40: true} {
		d := openDisk(t, filepath.Join(t.TempDir(), "raft.db"), position{}, position{})
		d.covered = func() (position, error) { return position{1, covered}, nil }
		mustNot(t, d.StoreLogs(logs(1, 20, 1)))
		if err := d.StoreLogs(logs(30, 31, 1)); (err == nil) != taken {
			t.Errorf("entry 30 behind 20, with a snapshot to %d: %v", covered, err)
		}
		mustNot(t, d.close())
	}
}
