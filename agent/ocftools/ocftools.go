package ocftools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"paceline/agent/api"
)

// Exit codes, as Pacemaker's tools give them.
const (
	exitOK          = 0
	exitError       = 1
	exitUnsupported = 3
	exitPrivilege   = 4
	exitUsage       = 64
	exitUnavailable = 69 // nobody can answer now
	exitDisconnect  = 102
	exitNoSuch      = 105
	exitTimeout     = 124
)

// daemon is what the tools ask of this node's daemon.
type daemon interface {
	Attributes(ctx context.Context, want api.Attribute) (*api.AttributesReply, error)
	SetAttributes(ctx context.Context, r api.AttributesRequest) error
	Health(ctx context.Context) (*api.Health, error)
	Status(ctx context.Context) (*api.Status, error)
	Configuration(ctx context.Context, revision uint64) (*api.ConfigurationReply, error)
	CIBXML(ctx context.Context) ([]byte, error)
	NodeValue(ctx context.Context, node string, r api.ValueRequest) (*api.ChangeReply, error)
	Cleanup(ctx context.Context, r api.CleanupRequest) (*api.ChangeReply, error)
	Failcount(ctx context.Context, resource string, r api.FailcountRequest) (*api.ChangeReply, error)
}

// call is one call of a tool.
type call struct {
	ctx    context.Context
	name   string
	args   []string
	env    func(string) string
	daemon daemon
	stdout io.Writer
	stderr io.Writer
}

// tools is the table of names.
var tools = []struct {
	name string
	run  func(*call) error
}{
	{"attrd_updater", attrdUpdater},
	{"cibadmin", cibAdmin},
	{"crm_attribute", crmAttribute},
	{"crm_failcount", crmFailcount},
	{"crm_master", crmMaster},
	{"crm_mon", crmMon},
	{"crm_node", crmNode},
	{"crm_resource", crmResource},
	{"crm_standby", crmStandby},
}

// Names lists the names that the program answers to as a tool.
func Names() []string {
	var out []string
	for _, t := range tools {
		out = append(out, t.name)
	}
	return out
}

// Main runs the tool of that name with the process's environment and streams, and returns its exit code.
func Main(name string, args []string) (exitCode int) {
	socket := os.Getenv("PACELINE_SOCKET")
	if socket == "" {
		socket = api.SocketDefault
	}
	client := api.NewClient(socket)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), budget)
	defer cancel()
	return run(&call{ctx: ctx, name: name, args: args, env: os.Getenv, daemon: client, stdout: os.Stdout, stderr: os.Stderr})
}

func run(c *call) int {
	i := slices.IndexFunc(tools, func(t struct {
		name string
		run  func(*call) error
	}) bool {
		return t.name == c.name
	})
	if i < 0 {
		fmt.Fprintf(c.stderr, "%s is none of the tools %v\n", c.name, Names())
		return exitUsage
	}
	err := tools[i].run(c)
	if err == nil {
		return exitOK
	}
	var f failure
	if errors.As(err, &f) {
		if f.text != "" {
			fmt.Fprintf(c.stderr, "%s: %s\n", c.name, f.text)
		}
		return f.code
	}
	fmt.Fprintf(c.stderr, "%s: %v\n", c.name, err)
	return exitOf(err)
}

// failure is an error with its exit code.
type failure struct {
	code int
	text string
}

func (f failure) Error() string { return f.text }

func fail(code int, format string, args ...any) error {
	return failure{code, fmt.Sprintf(format, args...)}
}

// exitOf is the exit code of an error of the daemon's.
func exitOf(err error) int {
	var e *api.Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.DeadlineExceeded) {
			return exitTimeout
		}
		return exitError
	}
	switch e.Code {
	case api.CodeUsage:
		return exitUsage
	case api.CodeForbidden:
		return exitPrivilege
	case api.CodeNotFound:
		return exitNoSuch
	case api.CodeUnreachable, api.CodeUnconfigured:
		return exitDisconnect
	case api.CodeNoCoordinator:
		return exitUnavailable
	case api.CodeTimeout:
		return exitTimeout
	}
	return exitError
}

// origin says who asks: the resource whose agent calls.
func (c *call) origin() string {
	if r := c.env("OCF_RESOURCE_INSTANCE"); r != "" {
		return "resource " + r
	}
	return c.name
}
