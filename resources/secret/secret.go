// Package secret keeps passwords out of configurations: a parameter's value may be a reference, and the node that runs the agent puts
// what it refers to in its place, just before.
//
//	secret:file:/path          the content of that file on the node
//	secret:credential:NAME     the systemd credential NAME of the daemon, else /etc/paceline/credentials/NAME
//
// Guarantees: what a reference refers to is read anew for every operation and kept nowhere; a file that others than its owner could read,
// or whose owner is neither root nor the daemon's user, is refused; the value is taken out of everything that an operation says. So a
// secret is never in the CIB, its history, a plan, a digest, a log or a report. A line end at the end of a file is no part of it.
//
// Tested with files of every kind; the executor's tests look for the secret in all that it puts out.
package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"paceline/resources"
)

const (
	prefix = "secret:"
	// lengthMax bounds a secret in bytes: keys and certificates fit, what would not fit an environment does not.
	lengthMax = 64 << 10
	// folder is where credentials are that systemd did not bring.
	folder = "/etc/paceline/credentials"
)

// Is says whether a parameter's value is a reference.
func Is(value string) bool { return strings.HasPrefix(value, prefix) }

// Resolve returns the request with what its references refer to in their place, and their names in Secret. Without references it is
// the same request. The error names the parameter and what to do, and no secret.
func Resolve(req resources.Request) (resources.Request, error) {
	return resolve(req, []string{os.Getenv("CREDENTIALS_DIRECTORY"), folder})
}

func resolve(req resources.Request, folders []string) (resources.Request, error) {
	var names []string
	for name, value := range req.Params {
		if Is(value) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return req, nil
	}
	slices.Sort(names)
	params := maps.Clone(req.Params)
	for _, name := range names {
		value, err := read(params[name], folders)
		if err != nil {
			return req, fmt.Errorf("parameter %s: %w", name, err)
		}
		params[name] = value
	}
	// A trace of a shell agent has every value that the shell sees.
	for _, name := range []string{"trace_ra", "trace_file"} {
		delete(params, name)
	}
	req.Params, req.Secret = params, names
	return req, nil
}

// read finds what a reference refers to.
func read(reference string, folders []string) (string, error) {
	kind, name, _ := strings.Cut(strings.TrimPrefix(reference, prefix), ":")
	switch {
	case kind == "file" && filepath.IsAbs(name):
		return content(name)
	case kind == "credential" && name != "" && name != "." && name != ".." && !strings.Contains(name, "/"):
		for _, dir := range folders {
			if dir == "" {
				continue
			}
			value, err := content(filepath.Join(dir, name))
			if !errors.Is(err, fs.ErrNotExist) {
				return value, err
			}
		}
		return "", fmt.Errorf("there is no credential %s on this node: neither does systemd pass it (LoadCredential= in the daemon's unit), nor is it in %s", name, folder)
	}
	return "", fmt.Errorf("%q refers to nothing: secret:file:/path and secret:credential:NAME do", reference)
}

func content(path string) (string, error) {
	// Not blocking: a pipe or a device in the file's place must not stop the daemon.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("its secret is not on this node: there is no file %s: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return "", fmt.Errorf("read its secret: %w", err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return "", fmt.Errorf("read its secret: look at %s: %w", path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return "", fmt.Errorf("its secret is refused: %s is no file", path)
	case st.Mode&0o077 != 0:
		return "", fmt.Errorf("its secret is refused: others than its owner may read %s (chmod 600 %s)", path, path)
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return "", fmt.Errorf("its secret is refused: %s belongs to user %d and not to root (chown root %s)", path, st.Uid, path)
	}
	b, err := io.ReadAll(io.LimitReader(f, lengthMax+1))
	if err != nil {
		return "", fmt.Errorf("read its secret: %w", err)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case len(b) > lengthMax:
		return "", fmt.Errorf("its secret is refused: %s is longer than %d bytes", path, lengthMax)
	case len(value) < resources.SecretMin:
		return "", fmt.Errorf("its secret is refused: %s has less than %d characters, which could not be told from other words", path, resources.SecretMin)
	case strings.Contains(value, "\x00"):
		return "", fmt.Errorf("its secret is refused: %s has a NUL byte, which no agent can be given", path)
	}
	return value, nil
}
