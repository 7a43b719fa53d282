package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// previousDefault is the revision that is upgraded from where there is no tag: some days of work ago.
const previousDefault = "HEAD~40"

// buildPrevious builds the daemon of an older revision into a directory, and returns the revision's name. It needs the history.
func buildPrevious(ctx context.Context, revision, into string) (string, error) {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", args...).Output()
		return strings.TrimSpace(string(out)), err
	}
	if revision == "" {
		var err error
		if revision, err = git("describe", "--tags", "--abbrev=0", "HEAD^"); err != nil {
			revision = previousDefault
		}
	}
	name, err := git("rev-parse", "--short", revision+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("the history has no revision %s", revision)
	}
	source, err := os.MkdirTemp("", "paceline-previous-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(source)
	top, err := git("rev-parse", "--show-toplevel")
	if err != nil {
		return "", err
	}
	archive := exec.CommandContext(ctx, "git", "-C", top, "archive", "--output", filepath.Join(source, "source.tar"), name)
	if out, err := archive.CombinedOutput(); err != nil {
		return "", fmt.Errorf("take %s out of the history: %w: %s", name, err, bytes.TrimSpace(out))
	}
	if out, err := exec.CommandContext(ctx, "tar", "-xf", filepath.Join(source, "source.tar"), "-C", source).CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack %s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	if into, err = filepath.Abs(into); err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", into+"/", "./agent/pacelined")
	build.Dir = source
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build %s: %w: %s", name, err, bytes.TrimSpace(out)), os.RemoveAll(into))
	}
	return name, nil
}
