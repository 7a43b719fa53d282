// Package resources is the contract of resource agents: operations, results, meta-data, OCF exit codes, and the registry
// in which a daemon keeps the kinds it has. It follows the Open Cluster Framework's resource agent API 1.1
// (https://github.com/ClusterLabs/OCF-spec), so that every OCF executable fits behind it.
//
// Guarantees to callers: Run returns when the operation has ended or its context has; it leaves no process of its own
// behind in either case. Guarantees wanted of implementations: start and stop are idempotent, monitor changes nothing,
// stop of something that is not there succeeds.
//
// The package imports nothing of paceline: it is what outsiders build against.
package resources

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// ExitCode is an OCF exit code.
type ExitCode int

// The OCF exit codes.
const (
	OK               ExitCode = 0
	GenericError     ExitCode = 1
	InvalidArgument  ExitCode = 2 // "args": a parameter makes no sense on this node
	Unimplemented    ExitCode = 3
	InsufficientPriv ExitCode = 4
	NotInstalled     ExitCode = 5
	NotConfigured    ExitCode = 6 // a parameter makes no sense on any node
	NotRunning       ExitCode = 7 // stopped cleanly
	RunningPromoted  ExitCode = 8
	FailedPromoted   ExitCode = 9
	Degraded         ExitCode = 190
	DegradedPromoted ExitCode = 191
	Unknown          ExitCode = 193 // no result yet
)

// Defined says whether OCF gives the code a meaning.
func (c ExitCode) Defined() bool {
	return c >= OK && c <= FailedPromoted || c == Degraded || c == DegradedPromoted
}

// String returns the code's name in words.
func (c ExitCode) String() string {
	switch c {
	case OK:
		return "ok"
	case GenericError:
		return "error"
	case InvalidArgument:
		return "invalid parameter"
	case Unimplemented:
		return "unimplemented"
	case InsufficientPriv:
		return "insufficient privileges"
	case NotInstalled:
		return "not installed"
	case NotConfigured:
		return "not configured"
	case NotRunning:
		return "not running"
	case RunningPromoted:
		return "promoted"
	case FailedPromoted:
		return "promoted (failed)"
	case Degraded:
		return "degraded"
	case DegradedPromoted:
		return "promoted (degraded)"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprintf("exit code %d", int(c))
}

// Names of operations.
const (
	Start       = "start"
	Stop        = "stop"
	Monitor     = "monitor"
	Promote     = "promote"
	Demote      = "demote"
	Notify      = "notify"
	MigrateTo   = "migrate_to"
	MigrateFrom = "migrate_from"
	ValidateAll = "validate-all"
	MetaDataOp  = "meta-data" // the type MetaData is what it answers
	Reload      = "reload"
	ReloadAgent = "reload-agent"
)

// Agent names an agent: class:provider:type. Provider is empty for classes that have none.
type Agent struct{ Class, Provider, Type string }

// String returns the name as people write it.
func (a Agent) String() string {
	if a.Provider == "" {
		return a.Class + ":" + a.Type
	}
	return a.Class + ":" + a.Provider + ":" + a.Type
}

// Request is one operation to run.
type Request struct {
	Agent     Agent
	Resource  string            // instance name, for example "ip" or "ip:1"
	Operation string            // one of the names above
	Interval  time.Duration     // of a recurring monitor; 0 for a probe or a one-off
	Timeout   time.Duration     // the budget the context was made with; agents may divide it
	Params    map[string]string // OCF_RESKEY_*
	Meta      map[string]string // CRM_meta_* values, without the prefix
	Node      string            // name of the node it runs on
	Secret    []string          // parameters whose values must not be seen: not in results, logs or command lines
}

// IsSecret says whether a parameter's value must not be seen.
func (r *Request) IsSecret(parameter string) bool { return slices.Contains(r.Secret, parameter) }

// Hide takes the values of secret parameters out of a text for people, also where the text begins or ends within one.
func (r *Request) Hide(text string) string {
	for _, name := range r.Secret {
		// Texts for people are one line; of a secret of several lines each is one.
		for line := range strings.SplitSeq(r.Params[name], "\n") {
			if line = strings.TrimSpace(line); len(line) >= SecretMin {
				text = hide(text, line)
				if quoted := strconv.Quote(line); quoted[1:len(quoted)-1] != line { // as messages have it
					text = hide(text, quoted[1:len(quoted)-1])
				}
			}
		}
	}
	return text
}

func hide(text, value string) string {
	const stars = "***"
	text = strings.ReplaceAll(text, value, stars)
	for n := min(len(value)-1, len(text)); n >= SecretMin; n-- {
		if rest, ok := strings.CutPrefix(text, value[len(value)-n:]); ok {
			text = stars + rest
			break
		}
	}
	for n := min(len(value)-1, len(text)); n >= SecretMin; n-- {
		if rest, ok := strings.CutSuffix(text, value[:n]); ok {
			text = rest + stars
			break
		}
	}
	return text
}

// HideIn is Hide for the texts of a result.
func (r *Request) HideIn(res Result) Result {
	res.Reason, res.Output = r.Hide(res.Reason), r.Hide(res.Output)
	return res
}

// Result is how an operation ended.
type Result struct {
	Code     ExitCode
	Reason   string // one line for people: why it is not OK (OCF exit reason)
	Output   string // tail of what was printed, at most OutputMax bytes
	TimedOut bool   // the budget ran out; Code is then GenericError and Reason says what it was doing
}

// Errorf makes a Result of a code and a reason.
func Errorf(code ExitCode, format string, args ...any) Result {
	return Result{Code: code, Reason: fmt.Sprintf(format, args...)}
}

// Runner runs operations of one class of agents, or of one native agent. Run may be called concurrently for different
// resources, never for the same one.
type Runner interface {
	Run(ctx context.Context, req Request) Result
	// MetaData returns the agent's OCF meta-data as XML.
	MetaData(ctx context.Context, agent Agent) ([]byte, error)
}

// Watcher is implemented by runners that see failures as they happen. Watch calls changed whenever the resource may have
// changed (spurious calls are fine: the caller runs a monitor), until ctx ends. changed must not block.
type Watcher interface {
	Watch(ctx context.Context, req Request, changed func(why string)) error
}

// Lister is implemented by runners that can name the agents they have.
type Lister interface {
	Agents(ctx context.Context) ([]Agent, error)
}

// Describer is implemented by runners that have their meta-data parsed.
type Describer interface {
	Describe(ctx context.Context, agent Agent) (*MetaData, error)
}

// Describe returns an agent's parsed meta-data.
func Describe(ctx context.Context, r Runner, a Agent) (*MetaData, error) {
	if d, ok := r.(Describer); ok {
		return d.Describe(ctx, a)
	}
	b, err := r.MetaData(ctx, a)
	if err != nil {
		return nil, err
	}
	return ParseMetaData(b)
}

// Registry finds the Runner of an agent. The zero value is empty. It is filled before use and not changed afterwards.
type Registry struct {
	exact map[Agent]Runner
	class map[string]Runner
}

// Register makes r the runner of exactly that agent.
func (g *Registry) Register(a Agent, r Runner) {
	if g.exact == nil {
		g.exact = map[Agent]Runner{}
	}
	g.exact[a] = r
}

// RegisterClass makes r the runner of every agent of the class that has no runner of its own.
func (g *Registry) RegisterClass(class string, r Runner) {
	if g.class == nil {
		g.class = map[string]Runner{}
	}
	g.class[class] = r
}

// Find returns the runner of an agent, or an error that says what is known.
func (g *Registry) Find(a Agent) (Runner, error) {
	if r, ok := g.exact[a]; ok {
		return r, nil
	}
	if r, ok := g.class[a.Class]; ok {
		return r, nil
	}
	return nil, fmt.Errorf("no agents of class %q here; classes are %v", a.Class, g.Classes())
}

// Agents lists all agents that the registered runners can name, sorted by name, and the errors of those that could not.
func (g *Registry) Agents(ctx context.Context) ([]Agent, error) {
	seen := map[Agent]bool{}
	for a := range g.exact {
		seen[a] = true
	}
	var errs []error
	for _, c := range g.Classes() {
		l, ok := g.class[c].(Lister)
		if !ok {
			continue
		}
		as, err := l.Agents(ctx)
		errs = append(errs, err)
		for _, a := range as {
			seen[a] = true
		}
	}
	out := slices.Collect(maps.Keys(seen))
	slices.SortFunc(out, func(a, b Agent) int { return strings.Compare(a.String(), b.String()) })
	return out, errors.Join(errs...)
}

// Classes lists the classes that have a runner, sorted.
func (g *Registry) Classes() []string {
	seen := map[string]bool{}
	for c := range g.class {
		seen[c] = true
	}
	for a := range g.exact {
		seen[a.Class] = true
	}
	var out []string
	for c := range seen {
		out = append(out, c)
	}
	sort.Strings(out)
	return out
}
