package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// openDatabase opens the file, or makes it. Its structure is checked as far as opening needs it: see inspect for the rest.
func openDatabase(path string, options *bbolt.Options) (*bbolt.DB, error) {
	o := bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType}
	if options != nil {
		o = *options
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := makeDatabase(path, &o); err != nil {
			return nil, fmt.Errorf("make %s: %w", path, err)
		}
	}
	if err := checkPages(path, o.Timeout); err != nil {
		return nil, err
	}
	db, err := openGuarded(path, &o)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := checkStructure(db); err != nil {
		return nil, errors.Join(damagedFile(path, err), db.Close())
	}
	err = db.View(func(tx *bbolt.Tx) error {
		got, err := unseal(keyFormat, tx.Bucket(bucketMeta).Get(keyFormat))
		if err == nil && string(got) != string(formatValue) {
			err = fmt.Errorf("format %q: this program knows %q", got, formatValue)
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(damagedFile(path, err), db.Close())
	}
	return db, nil
}

// makeDatabase makes the file under another name first, so that a power cut leaves a whole file or none.
func makeDatabase(path string, o *bbolt.Options) error {
	made := path + ".new"
	if err := os.Remove(made); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := bbolt.Open(made, 0o600, o)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketLog, bucketStable, bucketMeta} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(keyFormat, seal(keyFormat, formatValue))
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	return moveDatabase(made, path)
}

// renewDatabase puts a synced copy in the place of the file.
func renewDatabase(path string, options *bbolt.Options) error {
	db, err := openDatabase(path, options)
	if err != nil {
		return err
	}
	made := path + ".new"
	err = errors.Join(copyDatabase(db, made), db.Close())
	if err == nil {
		err = moveDatabase(made, path)
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w (hint: it needs as much room again)", path, err)
	}
	return nil
}

func copyDatabase(db *bbolt.DB, to string) error {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(f)
		return err
	})
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// moveDatabase gives a file that was made and synced its name.
func moveDatabase(made, path string) error {
	if err := os.Rename(made, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// openGuarded turns a panic or a memory fault on reading a broken file into an error.
func openGuarded(path string, o *bbolt.Options) (db *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	var file *os.File
	defer func() {
		if p := recover(); p != nil {
			// What is mapped stays so, and would hold the lock for as long as the process lives.
			unlock := unix.Flock(int(file.Fd()), unix.LOCK_UN)
			db, err = nil, errors.Join(damagedFile(path, fmt.Errorf("%v", p)), unlock, file.Close())
		}
	}()
	with := *o
	with.OpenFile = func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		file, err = os.OpenFile(name, flag, mode)
		return file, err
	}
	return bbolt.Open(path, 0o600, &with)
}

var errHeld = errors.New("another process holds it (hint: is a second pacelined running?)")

// lockShared waits until nobody holds the file's lock.
func lockShared(f *os.File, wait time.Duration) error {
	for end := time.Now().Add(wait); ; time.Sleep(lockRetry) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		if time.Now().After(end) {
			return errHeld
		}
	}
}

func makePrivateDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	return nil
}
