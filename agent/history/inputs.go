package history

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

const inputSuffix = ".input.gz"

func (r *Recorder) inputPath(id ID) string { return filepath.Join(r.dir, id.String()+inputSuffix) }

// writeInput writes an input under another name and moves it into place. It returns its size.
func (r *Recorder) writeInput(in Input) (int64, error) {
	path := r.inputPath(in.ID)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed) // the level is a valid one
	err = errors.Join(json.NewEncoder(z).Encode(in), z.Close())
	var size int64
	if st, serr := f.Stat(); serr == nil {
		size = st.Size()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		os.Remove(path + ".new")
		return 0, fmt.Errorf("keep the input of transition %s: %w", in.ID, err)
	}
	return size, nil
}

// Load reads the input of a transition. It returns an error that is fs.ErrNotExist if it is not kept here, and one that
// names the file and what is wrong with it if it is damaged.
func (r *Recorder) Load(id ID) (Input, error) {
	var in Input
	path := r.inputPath(id)
	f, err := os.Open(path)
	if err != nil {
		return in, err
	}
	defer f.Close()
	damaged := func(err error) (Input, error) {
		return Input{}, fmt.Errorf("the saved input %s is damaged: %w", path, err)
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return damaged(err)
	}
	text, err := io.ReadAll(io.LimitReader(z, inputMax+1)) // to the end, where the checksum is
	if err != nil {
		return damaged(err)
	}
	if len(text) > inputMax {
		return damaged(fmt.Errorf("it is larger than %d MiB", inputMax>>20))
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return damaged(err)
	}
	switch {
	case in.Format > format:
		return Input{}, fmt.Errorf("the saved input %s was written by a newer paceline (%s)", path, in.Version)
	case in.ID != id || in.CIB == nil:
		return damaged(fmt.Errorf("it is that of transition %s", in.ID))
	}
	return in, nil
}

// kept is a saved input as the folder lists it.
type kept struct {
	id   ID
	size int64
}

// list reads the folder: what is kept, oldest first. Names that are none of ours are left alone.
func list(dir string) ([]kept, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []kept
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), inputSuffix)
		if !ok {
			if strings.HasSuffix(e.Name(), inputSuffix+".new") { // of a daemon that died
				os.Remove(filepath.Join(dir, e.Name()))
			}
			continue
		}
		id, err := ParseID(name)
		if err != nil {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, kept{id, info.Size()})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].id.before(out[j].id) })
	return out, nil
}

func (id ID) before(b ID) bool { return id.Term < b.Term || id.Term == b.Term && id.Graph < b.Graph }

// trim deletes the oldest inputs beyond the bounds. It returns what is left.
func (r *Recorder) trim(all []kept) []kept {
	var bytes int64
	for _, k := range all {
		bytes += k.size
	}
	for len(all) > 1 && (len(all) > r.inputsMax || bytes > r.bytesMax) {
		if err := os.Remove(r.inputPath(all[0].id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.log.Warn("an old input of a transition cannot be deleted", "err", err)
		}
		bytes -= all[0].size
		all = all[1:]
	}
	return all
}
