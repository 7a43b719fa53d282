// Package scaffold makes the first version of a new resource agent: one that works, for its author to change.
//
// Guarantee: what it makes builds without a network and passes the conformance check; nothing that exists is overwritten. An agent in
// Go brings the kit along in its vendor folder, so that it needs neither paceline's source nor a module proxy.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"paceline/resources"
)

//go:embed template
var templates embed.FS

// Languages in which agents can be made.
var Languages = []string{"go", "sh"}

// goVersion is the language version of the kit, for go.mod.
const goVersion = "1.26"

var names = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)

// New makes the folder dir (for "go") or the file dir/name (for "sh"), and returns the files made, relative to dir.
func New(dir, name, language string) ([]string, error) {
	if !names.MatchString(name) {
		return nil, fmt.Errorf("%q is no name of an agent: letters, digits, - and _, a letter first, 63 at most", name)
	}
	data := struct{ Name, Type string }{name, typeName(name)}
	files := map[string][]byte{}
	switch language {
	case "go":
		var err error
		if files, err = vendored(); err != nil {
			return nil, err
		}
		files["go.mod"] = fmt.Appendf(nil, "module %s\n\ngo %s\n\nrequire paceline v0.0.0\n", name, goVersion)
		if files["main.go"], err = expand("template/main.go.tmpl", data); err != nil {
			return nil, err
		}
	case "sh":
		text, err := expand("template/agent.sh.tmpl", data)
		if err != nil {
			return nil, err
		}
		files[name] = text
	default:
		return nil, fmt.Errorf("%q is none of the languages %s", language, strings.Join(Languages, ", "))
	}
	return write(dir, files)
}

func expand(path string, data any) ([]byte, error) {
	t, err := template.ParseFS(templates, path)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, data)
	return b.Bytes(), err
}

// typeName makes a Go type's name of an agent's: my-shop is MyShop.
func typeName(name string) string {
	var out string
	for _, w := range strings.FieldsFunc(name, func(c rune) bool { return c == '-' || c == '_' }) {
		out += strings.ToUpper(w[:1]) + w[1:]
	}
	return out
}

// vendored is the kit as a vendor folder.
func vendored() (map[string][]byte, error) {
	out := map[string][]byte{}
	packages := map[string]bool{}
	err := fs.WalkDir(resources.Source, ".", func(path string, d fs.DirEntry, err error) error {
		// The source of the source would want its files again.
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || path == "source.go" {
			return err
		}
		b, err := fs.ReadFile(resources.Source, path)
		out["vendor/paceline/resources/"+path] = b
		packages[filepath.ToSlash(filepath.Dir("paceline/resources/"+path))] = true
		return err
	})
	list := "# paceline v0.0.0\n## explicit; go " + goVersion + "\n"
	for _, p := range slices.Sorted(func(yield func(string) bool) {
		for p := range packages {
			if !yield(p) {
				return
			}
		}
	}) {
		list += p + "\n"
	}
	out["vendor/modules.txt"] = []byte(list)
	return out, err
}

// write makes the files, none of which may be there.
func write(dir string, files map[string][]byte) ([]string, error) {
	var made []string
	for path := range files {
		made = append(made, path)
	}
	slices.Sort(made)
	for _, path := range made {
		if _, err := os.Lstat(filepath.Join(dir, path)); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is there already", filepath.Join(dir, path))
		}
	}
	for _, path := range made {
		full := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return nil, err
		}
		mode := fs.FileMode(0o644)
		if bytes.HasPrefix(files[path], []byte("#!")) {
			mode = 0o755
		}
		f, err := os.OpenFile(full, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return nil, err
		}
		_, err = f.Write(files[path])
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
	return made, nil
}
