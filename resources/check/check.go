// Package check is the native agent ocf:paceline:check: a look at a service from outside, as a client has it, as a resource of its own.
//
// Guarantees: a start is done when the service answers; a monitor fails when it has not answered several times in a row, and says what
// came instead; nothing is left running.
//
// In a group after the service, or colocated with it and ordered after it, a check attaches itself to the service: what systemd or a
// pid file call alive is then only healthy when it answers, and with migration-threshold the group leaves a node where it does not.
//
// Tested with servers on loopback that answer, answer wrongly, or do not.
package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"paceline/resources"
	"paceline/resources/attribute"
	"paceline/resources/native"
	"paceline/resources/plugin"
)

// Agent is the agent's name.
var Agent = resources.Agent{Class: "ocf", Provider: "paceline", Type: "check"}

const (
	// bodyMax bounds what is read of an answer in bytes: enough for a health page.
	bodyMax = 1 << 20
	// retryPause is the wait between two attempts of one monitor.
	retryPause = 500 * time.Millisecond
)

// check is the agent.
type check struct {
	Kind     string        `ra:"kind,required" values:"tcp|http|dns|command" short:"What to do: tcp connects, http asks for a page, dns for a name, command runs one"`
	Target   string        `ra:"target,required" short:"tcp: host:port; http: the address of the page; dns: the name; command: a command line for sh"`
	Expect   string        `ra:"expect" short:"Text that must be in the answer: the page, the addresses, the output. Of tcp: what the server says first"`
	Status   int           `ra:"status" min:"100" max:"599" short:"Status that a page must have; any below 400 if not set"`
	Server   string        `ra:"server" short:"dns: host:port of the name server to ask; the system's if not set"`
	Insecure bool          `ra:"insecure" default:"no" short:"http: take any certificate"`
	Attempts int           `ra:"attempts" default:"3" min:"1" max:"100" short:"How often it is tried before it counts as failed"`
	Each     time.Duration `ra:"attempt_timeout" default:"5s" short:"How long one attempt may take"`
	Slow     time.Duration `ra:"slow" short:"An answer that takes longer counts as degraded; never if not set"`

	keeper *attribute.Keeper
}

// New makes the agent.
func New(c attribute.Config) *native.Agent {
	k := attribute.New(c, "check")
	return plugin.NewWith(plugin.Info{
		Name: Agent.Type, Version: "1.0", Short: "Looks at a service as its clients do: TCP, HTTP, DNS or a command",
		Long: "Succeeds while a service answers. In a group after the service, it makes the service's answer a condition of the group: with " +
			"migration-threshold the group leaves a node where there is none. A start waits until the service answers.",
		Timeouts: map[string]time.Duration{resources.Start: time.Minute, resources.Monitor: 30 * time.Second},
	}, func(x *check) { x.keeper = k })
}

// Validate says whether the target is one of its kind.
func (x *check) Validate(ctx context.Context) error {
	if req := plugin.Request(ctx); x.Kind == "command" && req.IsSecret("target") {
		return plugin.Errorf(plugin.NotConfigured, "parameter target: a secret would be in the list of processes")
	}
	bad := func(format string, args ...any) error {
		return plugin.Errorf(plugin.NotConfigured, "parameter target: "+format, args...)
	}
	switch x.Kind {
	case "tcp":
		if host, port, err := net.SplitHostPort(x.Target); err != nil || host == "" || port == "" {
			return bad("%q is not host:port", x.Target)
		}
	case "http":
		if u, err := url.Parse(x.Target); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return bad("%q is not the address of a page (http://host:port/path)", x.Target)
		}
	}
	if x.Server != "" {
		if _, _, err := net.SplitHostPort(x.Server); err != nil {
			return plugin.Errorf(plugin.NotConfigured, "parameter server: %q is not host:port", x.Server)
		}
	}
	return nil
}

func (x *check) Start(ctx context.Context) error {
	var last error
	err := plugin.Until(ctx, x.Target+" to answer", func() (bool, error) {
		last = x.once(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return x.keeper.Begin(ctx)
}

func (x *check) Stop(ctx context.Context) error { return x.keeper.End(ctx) }

func (x *check) Monitor(ctx context.Context) (plugin.State, error) {
	if active, err := x.keeper.Active(ctx); !active || err != nil {
		return plugin.Stopped, err
	}
	var last error
	for i := range x.Attempts {
		if i > 0 {
			select {
			case <-ctx.Done():
				return plugin.Running, last
			case <-time.After(retryPause):
			}
		}
		began := time.Now()
		if last = x.once(ctx); last == nil {
			if x.Slow > 0 && time.Since(began) > x.Slow {
				return plugin.Degraded, nil
			}
			return plugin.Running, nil
		}
	}
	return plugin.Running, fmt.Errorf("%w (%d attempts)", last, x.Attempts)
}

// once makes one attempt.
func (x *check) once(ctx context.Context) error {
	plugin.Doing(ctx, "waiting for an answer of %s", x.Target)
	ctx, cancel := context.WithTimeout(ctx, x.Each)
	defer cancel()
	answer, err := map[string]func(context.Context) (string, error){"tcp": x.tcp, "http": x.http, "dns": x.dns, "command": x.command}[x.Kind](ctx)
	if err != nil {
		return err
	}
	if !strings.Contains(answer, x.Expect) {
		return fmt.Errorf("%s answers %q, in which there is no %q", x.Target, resources.CleanText(answer, 80, false), x.Expect)
	}
	return nil
}

func (x *check) tcp(ctx context.Context) (string, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", x.Target)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if x.Expect == "" {
		return "", nil
	}
	end, _ := ctx.Deadline()
	if err := c.SetReadDeadline(end); err != nil {
		return "", err
	}
	var said strings.Builder
	b := make([]byte, 4096)
	for said.Len() < bodyMax && !strings.Contains(said.String(), x.Expect) {
		n, err := c.Read(b)
		said.Write(b[:n])
		if err != nil {
			break // what was said so far is the answer
		}
	}
	return said.String(), nil
}

func (x *check) http(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.Target, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", "paceline-check")
	t := &http.Transport{DisableKeepAlives: true, TLSClientConfig: certificates(x.Insecure)}
	defer t.CloseIdleConnections()
	res, err := (&http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok { // without the address, which may have a password
			err = u.Err
		}
		return "", fmt.Errorf("ask for the page: %w", err)
	}
	defer res.Body.Close()
	if x.Status != 0 && res.StatusCode != x.Status || x.Status == 0 && res.StatusCode >= 400 {
		return "", fmt.Errorf("the page has status %s", res.Status)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, bodyMax))
	return string(b), err
}

func (x *check) dns(ctx context.Context) (string, error) {
	r := &net.Resolver{PreferGo: true}
	if x.Server != "" {
		r.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, x.Server)
		}
	}
	addresses, err := r.LookupHost(ctx, x.Target)
	slices.Sort(addresses)
	return strings.Join(addresses, " "), err
}

func (x *check) command(ctx context.Context) (string, error) {
	return plugin.Run(ctx, "sh", "-c", x.Target)
}
