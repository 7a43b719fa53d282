package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"paceline/resources"
)

// Main is the main function of an agent's program: it carries out the operation that the program was called with, and exits.
func Main[T any, P interface {
	*T
	Agent
}](info Info) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := Execute(ctx, resources.Agent{Class: "ocf", Provider: "plugin", Type: info.Name}, New[T, P](info), os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Execute carries out one operation of an agent as an OCF executable does: args are what follows the program's name, env is the
// environment with OCF_RESKEY_*. Meta-data goes to stdout, an exit reason to stderr. It returns the exit code.
func Execute(ctx context.Context, agent resources.Agent, runner resources.Runner, args, env []string, stdout, stderr io.Writer) int {
	if len(args) != 1 || strings.HasPrefix(args[0], "-") || args[0] == "help" || args[0] == "usage" {
		fmt.Fprintf(stderr, "usage: %s %s\n", agent.Type, strings.Join(operations(ctx, agent, runner), " | "))
		if len(args) == 1 {
			return int(resources.OK)
		}
		return int(resources.Unimplemented)
	}
	if args[0] == "manual" {
		m, err := resources.Describe(ctx, runner, agent)
		if err != nil {
			fmt.Fprintf(stderr, "ocf-exit-reason:%v\n", err)
			return int(resources.GenericError)
		}
		Manual(stdout, agent.Provider, m)
		return int(resources.OK)
	}
	req := requestOf(agent, args[0], env)
	ctx, cancel := context.WithTimeout(ctx, req.Timeout-min(req.Timeout/marginShare, marginMost))
	defer cancel()
	res := runner.Run(ctx, req)
	if req.Operation == resources.MetaDataOp {
		io.WriteString(stdout, res.Output)
		return int(res.Code)
	}
	if res.Output != "" {
		fmt.Fprintln(stderr, res.Output)
	}
	if res.Reason != "" && res.Code != resources.OK {
		fmt.Fprintf(stderr, "ocf-exit-reason:%s\n", res.Reason)
	}
	return int(res.Code)
}

// operations lists the operations of an agent, each once.
func operations(ctx context.Context, agent resources.Agent, runner resources.Runner) []string {
	m, err := resources.Describe(ctx, runner, agent)
	if err != nil {
		return nil
	}
	var out []string
	for _, a := range m.Actions {
		if len(out) == 0 || out[len(out)-1] != a.Name {
			out = append(out, a.Name)
		}
	}
	return out
}

// requestOf reads a request from an OCF environment.
func requestOf(a resources.Agent, operation string, env []string) resources.Request {
	req := resources.Request{
		Agent: a, Resource: a.Type, Operation: operation, Timeout: resources.DefaultTimeout,
		Params: map[string]string{}, Meta: map[string]string{},
	}
	for _, e := range env {
		k, v, _ := strings.Cut(e, "=")
		if m, ok := strings.CutPrefix(k, "OCF_RESKEY_CRM_meta_"); ok {
			req.Meta[strings.ReplaceAll(m, "_", "-")] = v
		} else if p, ok := strings.CutPrefix(k, "OCF_RESKEY_"); ok && p != "crm_feature_set" {
			req.Params[p] = v
		} else if k == "OCF_RESOURCE_INSTANCE" && v != "" {
			req.Resource = v
		}
	}
	req.Node = req.Meta["on-node"]
	req.Interval = milliseconds(req.Meta["interval"])
	if t := milliseconds(req.Meta["timeout"]); t > 0 {
		req.Timeout = t
	}
	return req
}

func milliseconds(s string) time.Duration {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

// Run runs a command and returns what it printed, trimmed. The command and all that it began end with ctx. An error says what the
// command said last; a command that is not there is NotInstalled.
func Run(ctx context.Context, name string, args ...string) (string, error) {
	Doing(ctx, "running %s", name)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = closeGrace
	var out bounded
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	text := strings.TrimSpace(out.String())
	switch {
	case err == nil:
		return text, nil
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist):
		return "", Errorf(NotInstalled, "run %s: %w", name, err)
	case ctx.Err() != nil:
		return text, fmt.Errorf("run %s: it did not end in time", name)
	}
	last := text[strings.LastIndexByte(text, '\n')+1:]
	if last == "" {
		return text, fmt.Errorf("run %s: %w", name, err)
	}
	return text, fmt.Errorf("run %s: %w: %s", name, err, last)
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:max(0, min(len(p), outputMax-b.Len()))])
	return len(p), nil
}

// Until looks again and again until done says yes or fails, or ctx ends. what is for the reason of a time-out.
func Until(ctx context.Context, what string, done func() (bool, error)) error {
	Doing(ctx, "waiting for %s", what)
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for %s in vain", what)
		case <-time.After(untilPause):
		}
	}
}
