package builtin

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"paceline/resources"
)

// OCFMain runs one operation of the agent whose name the program was called by, as an OCF executable does: args are the
// program's name and the operation, env the environment with OCF_RESKEY_*. Meta-data goes to standard output, an exit reason to
// standard error. It returns the exit code.
func OCFMain(args, env []string) (exitCode int) { return ocfMain(args, env, os.Stdout, os.Stderr) }

func ocfMain(args, env []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		return int(resources.GenericError)
	}
	name := filepath.Base(args[0])
	i := find(name)
	if i < 0 {
		fmt.Fprintf(stderr, "ocf-exit-reason:there is no agent %s in this program\n", name)
		return int(resources.NotInstalled)
	}
	n := native[i]
	if len(args) != 2 || strings.HasPrefix(args[1], "-") || args[1] == "help" || args[1] == "usage" {
		fmt.Fprintf(stderr, "usage: %s start | stop | monitor | validate-all | meta-data\n", name)
		if len(args) == 2 {
			return int(resources.OK)
		}
		return int(resources.Unimplemented)
	}
	req := requestOf(n.agent, args[1], env)
	runner := n.make(Config{
		StateDir: os.Getenv("PACELINE_STATE_DIR"), oneShot: true,
		Logger: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}.withDefaults())
	ctx, cancel := context.WithTimeout(context.Background(), req.Timeout)
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
