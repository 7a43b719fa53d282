package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/agent/peer"
	"paceline/ctl"
)

// TestMain lets the test binary be the command line, for users other than root.
func TestMain(m *testing.M) {
	if os.Getenv("PACELINE_TEST_CLI") != "" {
		os.Exit(ctl.Run(context.Background(), append([]string{"paceline"}, os.Args[1:]...), ctl.Standard()))
	}
	os.Exit(m.Run())
}

// guard gives the cluster access rules: user nobody reads all but the options, and may change web.
func (s *site) guard(on string) {
	s.t.Helper()
	c, err := s.nodes[on].client.CIB(s.ctx())
	if err != nil {
		s.t.Fatal(err)
	}
	conf := c.CIB.Configuration
	conf.ACLs = cib.ACLs{
		Targets: []cib.ACLTarget{{ID: "nobody", Roles: []string{"operator"}}},
		Roles: []cib.ACLRole{
			{ID: "operator", Permissions: []cib.ACLPermission{
				{ID: "p1", Kind: "read", XPath: "/cib"}, {ID: "p2", Kind: "write", Reference: "web"}, {ID: "p3", Kind: "deny", Reference: "power"},
			}},
			{ID: "boss", Permissions: []cib.ACLPermission{{ID: "b1", Kind: "write", XPath: "/cib"}}},
		},
	}
	on2 := "true"
	if _, err := s.nodes[on].client.Change(s.ctx(), api.ChangeRequest{Configuration: &conf, Yes: true}); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.nodes[on].client.Change(s.ctx(), api.ChangeRequest{Change: &cib.Change{SetOption: &cib.SetOption{Name: "enable-acl", Value: &on2}}, Yes: true}); err != nil {
		s.t.Fatal(err)
	}
}

func TestAnotherUserObeysTheRules(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it becomes another user")
	}
	s := newSite(t)
	s.group = "nogroup"
	for i, name := range []string{"n1", "n2"} {
		dir, err := os.MkdirTemp("", "pl")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		s.nodes[name] = &testNode{name: name, dir: dir, address: fmt.Sprintf("%s%d", s.net, i+31)}
		s.start(name)
	}
	s.form("n1", "n2")
	s.await("n1", "both nodes", func(st *api.Status) bool { return online(st) == 2 })
	s.load("n1")
	s.guard("n1")
	s.await("n1", "web to run", func(st *api.Status) bool { return where(st, "web") != "" })

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	program := filepath.Join(s.nodes["n1"].dir, "paceline")
	if err := errors.Join(err, os.WriteFile(program, text, 0o755)); err != nil {
		t.Fatal(err)
	}
	run := func(node string, words ...string) (int, string) {
		t.Helper()
		var out bytes.Buffer
		cmd := exec.CommandContext(s.ctx(), program, words...)
		cmd.Env = []string{"PACELINE_TEST_CLI=1", "PACELINE_SOCKET=" + filepath.Join(s.nodes[node].dir, "run", "paceline.sock")}
		cmd.Dir, cmd.Stdout, cmd.Stderr = "/", &out, &out
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), out.String()
	}
	for _, node := range []string{"n1", "n2"} { // the coordinator, and a node that forwards
		for _, test := range []struct {
			words      string
			exit       int
			has, lacks string
		}{
			{"status", 0, "web", "power"},
			{"configure show", 0, "primitive web", "power"},
			{"explain web", 0, "web", "power"},
			{"history", 0, "", "power"},
			{"resource stop power --yes", 3, "user nobody may not add nvpair target-role of primitive power", ""},
			{"node standby n2 --yes", 3, "user nobody may not add nvpair standby of node n2; role boss would allow it", ""},
			{"node fence n2 --yes", 3, "role boss would allow it", ""},
			{"configure property maintenance-mode=true", 3, "user nobody may not", ""},
			{"cluster token", 3, "user nobody may not change cib; role boss would allow it", ""},
			{"access token create --user x --scope write", 3, "user nobody may not change cib", ""},
			{"cleanup power", 2, "", ""},
			{"resource stop web --yes --wait", 0, "", ""},
			{"resource start web --wait", 0, "", ""},
		} {
			exit, out := run(node, strings.Fields(test.words)...)
			if exit != test.exit || !strings.Contains(out, test.has) || test.lacks != "" && strings.Contains(out, test.lacks) {
				t.Errorf("%s on %s: exit %d, want %d with %q and without %q:\n%s", test.words, node, exit, test.exit, test.has, test.lacks, out)
			}
		}
	}
	h, err := s.nodes["n1"].client.History(s.ctx(), 1)
	if err != nil || h.Commits[0].User != "nobody@n2" {
		t.Errorf("the last commit is %+v, %v; want it by nobody@n2", h, err)
	}
}

func TestRemoteUse(t *testing.T) {
	s := newSite(t, "n1", "n2")
	s.form("n1", "n2")
	s.await("n1", "both nodes", func(st *api.Status) bool { return online(st) == 2 })
	s.load("n1")
	s.guard("n1")
	s.await("n1", "web to run", func(st *api.Status) bool { return where(st, "web") != "" })
	local := s.nodes["n1"].client
	create := func(r api.AccessRequest) *api.AccessReply {
		t.Helper()
		reply, err := local.CreateAccess(s.ctx(), r)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	use := func(text, address string) *api.Client {
		t.Helper()
		c, err := api.NewRemoteClient(text, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	refused := func(what string, err error, code api.Code, why string) {
		t.Helper()
		var e *api.Error
		if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Why, why) {
			t.Errorf("%s: %v; want %s: ...%s...", what, err, code, why)
		}
	}
	n1, n2 := s.nodes["n1"].address+":7947", s.nodes["n2"].address+":7947"

	// Without a token the port does not speak the protocol.
	ring, err := peer.LoadRing(filepath.Join(s.nodes["n1"].dir, "etc", "key"))
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := peer.DialAccess(s.ctx(), ring.Current.CAFingerprint(), n1); err == nil {
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("the port serves remote use although there is no token")
		}
		conn.Close()
	}

	alice := create(api.AccessRequest{User: "alice", Roles: []string{"operator"}})
	reader := create(api.AccessRequest{User: "reader", Scope: "read"})
	// Through either node, in alice's name, with her role alone.
	for _, address := range []string{n1, n2, ""} {
		c := use(alice.Text, address)
		st, err := c.Status(s.awaitAccess(c))
		if err != nil || where(st, "web") == "" || where(st, "power") != "" {
			t.Errorf("alice at %s sees %+v, %v", address, st, err)
		}
		_, err = c.Node(s.ctx(), "n2", "standby", api.NodeRequest{Yes: true})
		refused("standby by alice", err, api.CodeForbidden, "user alice may not add nvpair standby of node n2; role boss would allow it")
		_, err = c.CreateAccess(s.ctx(), api.AccessRequest{User: "alice", Scope: "write"})
		refused("a token by a token", err, api.CodeForbidden, "on a member only")
		_, err = c.Token(s.ctx(), api.TokenRequest{})
		refused("a join token by a token", err, api.CodeForbidden, "on a member only")
	}
	if _, err := use(alice.Text, n2).Resource(s.ctx(), "web", "unmanage", api.ResourceRequest{}); err != nil {
		t.Errorf("alice may not unmanage web: %v", err)
	}
	if h, err := local.History(s.ctx(), 1); err != nil || !strings.HasPrefix(h.Commits[0].User, "alice@127.") || !strings.Contains(h.Commits[0].User, alice.Token.ID) {
		t.Errorf("the commit is %+v, %v; want it by alice and her token", h, err)
	}
	_, err = use(reader.Text, n1).Resource(s.ctx(), "web", "manage", api.ResourceRequest{})
	refused("a change with scope read", err, api.CodeForbidden, "user reader may not")
	if r, err := use(reader.Text, n1).CIB(s.ctx()); err != nil || r.CIB.Configuration.Resource("power") == nil {
		t.Errorf("scope read does not read everything: %v", err)
	}

	// Nobody passes for the cluster: a server with another authority never hears the secret.
	stranger, heard := impostor(t, s.net+"77:7947")
	_, err = use(alice.Text, stranger).Status(s.ctx())
	refused("another authority", err, api.CodeUnreachable, "not of the cluster that made the token")
	if len(heard) > 0 {
		t.Error("the impostor was sent a request")
	}
	// A token of another cluster is not known here.
	foreign, err := peer.NewToken([]string{n1}, ring.Current, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		_, err = use(foreign.EncodeAccess(), n1).Status(s.ctx())
		refused("a foreign token", err, api.CodeForbidden, "not known to this cluster")
	}
	_, err = use(alice.Text, n1).Status(s.ctx())
	refused("after five wrong tokens", err, api.CodeForbidden, "too many wrong tokens")

	// Expired: by the cluster's clock, whatever the client thinks.
	short := create(api.AccessRequest{User: "short", Scope: "read", TTL: api.Duration(time.Second)})
	c := use(short.Text, n2)
	ctx := s.ctx()
	for err = nil; err == nil && ctx.Err() == nil; {
		_, err = c.Status(ctx)
	}
	refused("an expired token", err, api.CodeForbidden, "expired")

	// Revoked: the connection that is open is good for nothing more, and its stream ends.
	c = use(alice.Text, n2)
	streamed := make(chan error, 1)
	first := make(chan struct{})
	go func() {
		var last error
		once := false
		for _, err := range c.Watch(ctx) {
			if last = err; !once {
				once = true
				close(first)
			}
		}
		streamed <- last
	}()
	<-first
	if _, err := local.RevokeAccess(s.ctx(), alice.Token.ID); err != nil {
		t.Fatal(err)
	}
	refused("the stream of a revoked token", <-streamed, api.CodeForbidden, "revoked")
	_, err = c.Status(s.ctx())
	refused("a revoked token", err, api.CodeForbidden, "revoked")
	// An old revision of the configuration does not bring it back.
	h, err := local.History(s.ctx(), 10)
	if err != nil {
		t.Fatal(err)
	}
	old, err := local.Configuration(s.ctx(), h.Commits[0].Revision)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := local.Change(s.ctx(), api.ChangeRequest{Configuration: old.Configuration, Yes: true}); err != nil {
		t.Fatal(err)
	}
	_, err = c.Status(s.ctx())
	refused("a revoked token after a rollback", err, api.CodeForbidden, "revoked")
	if list, err := local.AccessTokens(s.ctx()); err != nil || len(list.Tokens) != 2 {
		t.Errorf("tokens: %+v, %v; want two", list, err)
	}
}

// awaitAccess waits until a node that has heard of a token speaks its protocol.
func (s *site) awaitAccess(c *api.Client) context.Context {
	ctx := s.ctx()
	for ctx.Err() == nil {
		_, err := c.Health(ctx)
		var e *api.Error
		if err == nil || !errors.As(err, &e) || e.Code != api.CodeUnreachable && e.Code != api.CodeForbidden {
			break
		}
	}
	return ctx
}

// impostor answers the protocol at an address with a certificate of its own, and notes every request.
func impostor(t *testing.T, address string) (string, chan string) {
	t.Helper()
	p, err := peer.New(peer.Config{Keys: []peer.Key{peer.NewKey()}, Identity: peer.Identity{Cluster: "test", Node: "n1", ID: "x"}, Listen: address})
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 10)
	srv := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heard <- r.Header.Get("Authorization") })}
	l := p.Listener(peer.ALPNAccess)
	go p.Serve()
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close(); p.Close() })
	return address, heard
}
