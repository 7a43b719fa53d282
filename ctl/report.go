package ctl

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// reportBack is how far a report goes back if nobody says.
const reportBack = 12 * time.Hour

// reportFile is one file of a bundle.
type reportFile struct {
	name string
	data []byte
}

// runReport collects what there is to know about the cluster into one bundle, which holds no secrets. A node that does not
// answer is named in it.
func runReport(in *invocation) error {
	now := time.Now()
	span := api.ReportSpan{From: now.Add(-reportBack)}
	for name, t := range map[string]*time.Time{"from": &span.From, "to": &span.To} {
		text := in.c.String(name)
		if text == "" {
			continue
		}
		at, err := momentOf(text, now)
		if err != nil {
			return err
		}
		*t = at
	}
	st, err := in.api.Status(in.ctx)
	if err != nil {
		return err
	}
	dest := in.arg(0)
	if dest == "" {
		dest = "paceline-report-" + st.Cluster + "-" + now.Format("20060102-150405")
	}
	dest = strings.TrimSuffix(strings.TrimSuffix(dest, ".tar.gz"), ".tgz")
	var nodes []string
	if text := in.c.String("nodes"); text != "" {
		nodes = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	} else {
		for _, n := range st.Nodes {
			if n.Role != api.RoleRemote {
				nodes = append(nodes, n.Name)
			}
		}
	}
	for _, name := range nodes {
		if !slices.ContainsFunc(st.Nodes, func(n api.Node) bool { return n.Name == name }) {
			return api.Errorf(api.CodeNotFound, "report", "there is no node %q", name).WithHint("`paceline node list` lists them")
		}
	}
	files, missing := in.collect(st, nodes, span)
	file := dest + ".tar.gz"
	if err := writeBundle(file, path.Base(dest), files, now); err != nil {
		return err
	}
	return in.reported(file, files, missing)
}

// momentOf reads a point in time: a date and time, a time of today, or how long ago ("2h").
func momentOf(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return t, nil
		}
	}
	for _, form := range []string{"15:04:05", "15:04"} {
		if t, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.Local), nil
		}
	}
	e := usagef("%q is no time", text)
	e.hint = "times are \"2031-03-04 18:00\", 18:00 (today), or 2h (ago)"
	return now, e
}

// collect asks the cluster and, at the same time, every node. missing says who did not answer, and why.
func (in *invocation) collect(st *api.Status, nodes []string, span api.ReportSpan) (files []reportFile, missing []string) {
	asJSON := func(name string, v any, err error) {
		var data []byte
		if err == nil {
			data, err = json.MarshalIndent(v, "", "  ")
		}
		if err != nil {
			missing = append(missing, name+": "+err.Error())
			return
		}
		files = append(files, reportFile{"cluster/" + name, append(data, '\n')})
	}
	asJSON("status.json", st, nil)
	var text bytes.Buffer
	statusView{}.write(&text, st)
	files = append(files, reportFile{"cluster/status.txt", text.Bytes()})
	state, err := in.api.CIB(in.ctx)
	if err == nil {
		var xml bytes.Buffer
		if err = cib.Export(&xml, state.CIB.Masked()); err == nil {
			files = append(files, reportFile{"cluster/cib.xml", xml.Bytes()})
		}
	}
	if err != nil {
		missing = append(missing, "cib.xml: "+err.Error())
	}
	commits, err := in.api.History(in.ctx, reportCommits)
	asJSON("commits.json", commits, err)
	checkup, err := in.api.Checkup(in.ctx)
	asJSON("doctor.json", checkup, err)

	parts := make([]*api.ReportPart, len(nodes))
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, name := range nodes {
		wg.Go(func() { parts[i], errs[i] = in.api.Report(in.ctx, name, span) })
	}
	wg.Wait()
	for i, name := range nodes {
		if errs[i] != nil {
			missing = append(missing, name+": "+errs[i].Error())
			continue
		}
		for _, f := range parts[i].Files {
			clean := path.Clean("/" + f.Name)[1:] // whatever a node says, its files stay in its folder
			files = append(files, reportFile{"nodes/" + name + "/" + clean, f.Data})
		}
	}
	if len(missing) > 0 {
		files = append(files, reportFile{"missing.txt", []byte(strings.Join(missing, "\n") + "\n")})
	}
	return files, missing
}

// reportCommits is how many commits a report lists.
const reportCommits = 200

// writeBundle writes a new file that only its owner can read.
func writeBundle(file, folder string, files []reportFile, now time.Time) error {
	what := "write " + file
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		e := api.Errorf(api.CodeFailed, what, "%v", err)
		if os.IsExist(err) {
			return e.WithHint("give another name")
		}
		return e
	}
	err = bundle(f, folder, files, now)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(file)
		return api.Errorf(api.CodeFailed, what, "%v", err)
	}
	return nil
}

func bundle(w io.Writer, folder string, files []reportFile, now time.Time) error {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{Name: folder + "/" + f.name, Mode: 0o600, Size: int64(len(f.data)), ModTime: now}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(f.data); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}

// reported says what was written. A report without some node's part is worth having, and ends with exitUnreachable.
func (in *invocation) reported(file string, files []reportFile, missing []string) error {
	size := int64(0)
	if st, err := os.Stat(file); err == nil {
		size = st.Size()
	}
	if in.json() {
		if missing == nil {
			missing = []string{}
		}
		if err := in.writeJSON(struct {
			Schema  int      `json:"schema"`
			File    string   `json:"file"`
			Bytes   int64    `json:"bytes"`
			Files   int      `json:"files"`
			Missing []string `json:"missing"`
		}{api.Schema, file, size, len(files), missing}); err != nil {
			return err
		}
	} else {
		in.printf("%s: %s, %d KiB\n", file, plural(len(files), "file"), (size+1023)/1024)
		for _, m := range missing {
			fmt.Fprintln(in.Err, "warning: without "+m)
		}
	}
	if len(missing) > 0 {
		return &exitStatus{exitUnreachable}
	}
	return nil
}
