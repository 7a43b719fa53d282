package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
	"paceline/agent/cib"
)

// guarded is a cluster with access rules: bob reads everything, carol may set target roles of web alone, and sees no db.
func guarded(t *testing.T) *apitest.Cluster {
	t.Helper()
	c := apitest.New("node1", "node2")
	client := serve(t, c)
	load(t, client, "web", "db")
	base, err := client.Configuration(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	next := *base.Configuration
	on := cib.Change{SetOption: &cib.SetOption{Name: "enable-acl", Value: new("true")}}
	next.ACLs = cib.ACLs{
		Targets: []cib.ACLTarget{{ID: "bob", Roles: []string{"reader"}}, {ID: "carol", Roles: []string{"reader", "blind", "operator"}}},
		Roles: []cib.ACLRole{
			{ID: "reader", Permissions: []cib.ACLPermission{{ID: "r1", Kind: "read", XPath: "/cib"}}},
			{ID: "blind", Permissions: []cib.ACLPermission{{ID: "b1", Kind: "deny", Reference: "db"}}},
			{ID: "operator", Permissions: []cib.ACLPermission{{ID: "o1", Kind: "write", Reference: "web"}}},
		},
	}
	if _, err := client.Change(t.Context(), api.ChangeRequest{Configuration: &next, Message: "rules for db and web"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Change(t.Context(), api.ChangeRequest{Change: &on}); err != nil {
		t.Fatal(err)
	}
	return c
}

// as makes a request as another node would for a user.
func as(t *testing.T, s *api.Server, user, method, uri, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, uri, strings.NewReader(body))
	r.Header.Set("Paceline-User", user+"@node2")
	r.Header.Set("Paceline-Forwarded", "node2")
	r.Header.Set("Paceline-Caller", fmt.Sprintf(`{"name":%q,"uid":1000,"pid":7}`, user))
	w := httptest.NewRecorder()
	s.PeerHandler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestReadsAreFiltered(t *testing.T) {
	c := guarded(t)
	s := api.NewServer(api.Config{Backend: c, Plan: apitest.Plan})
	for _, uri := range []string{"/v1/status", "/v1/cib", "/v1/cib.xml", "/v1/configuration", "/v1/history", "/v1/timeline", "/v1/explain?resource=web", "/v1/checkup", "/v1/health"} {
		code, body := as(t, s, "carol", "GET", uri, "")
		if code != 200 {
			t.Errorf("carol, %s: %d %s", uri, code, body)
		}
		if strings.Contains(body, `"db`) || strings.Contains(body, " db") {
			t.Errorf("carol is told of db by %s: %s", uri, body)
		}
		if uri != "/v1/health" && uri != "/v1/timeline" && uri != "/v1/checkup" && !strings.Contains(body, "web") {
			t.Errorf("carol does not see web in %s: %s", uri, body)
		}
		code, body = as(t, s, "bob", "GET", uri, "")
		if code != 200 || uri == "/v1/status" && !strings.Contains(body, `"db"`) {
			t.Errorf("bob, %s: %d %s", uri, code, body)
		}
		if code, body = as(t, s, "eve", "GET", uri, ""); code != 403 || strings.Contains(body, "node2") || !strings.Contains(body, "none names user eve") {
			t.Errorf("eve, %s: %d %s", uri, code, body)
		}
	}
	// What cannot be told apart is refused, and what is hidden is not betrayed by an error.
	if code, body := as(t, s, "carol", "GET", "/v1/report", ""); code != 403 {
		t.Errorf("carol gets a report: %d %s", code, body)
	}
	if code, body := as(t, s, "carol", "GET", "/v1/explain?resource=dbx", ""); code != 404 || strings.Contains(body, `db\"`) {
		t.Errorf("an error tells of db: %d %s", code, body)
	}
}

func TestWritesAreJudged(t *testing.T) {
	c := guarded(t)
	var log bytes.Buffer
	s := api.NewServer(api.Config{Backend: c, Plan: apitest.Plan, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	before, _ := c.Snapshot(t.Context())
	for _, test := range []struct{ user, uri, body, want string }{
		{"bob", "/v1/resources/web/stop", `{"yes":true}`, "user bob may not add nvpair target-role of primitive web; role operator would allow it"},
		{"carol", "/v1/resources/db/stop", `{"yes":true}`, "user carol may not add nvpair target-role of primitive db"},
		{"carol", "/v1/nodes/node2/standby", `{"yes":true}`, "user carol may not add nvpair standby of node node2; no role"},
		{"carol", "/v1/nodes/node2/fence", `{"yes":true}`, "user carol may not change node node2"},
		{"carol", "/v1/cluster/token", `{}`, "user carol may not change cib"},
		{"carol", "/v1/cluster/force-quorum", `{"yes":true}`, "user carol may not change cib"},
		{"carol", "/v1/attributes", `{"changes":[{"scope":"option","name":"enable-acl","value":"false"}]}`, "user carol may not change cib"},
		{"carol", "/v1/configuration", `{"change":{"set_option":{"name":"enable-acl","value":"false"}},"yes":true}`, "user carol may not change nvpair enable-acl"},
		{"eve", "/v1/resources/web/stop", `{"yes":true}`, "user eve may not read or change anything"},
	} {
		code, body := as(t, s, test.user, "POST", test.uri, test.body)
		if code != 403 || !strings.Contains(body, test.want) {
			t.Errorf("%s, %s: %d %s, want %s", test.user, test.uri, code, body, test.want)
		}
	}
	if after, _ := c.Snapshot(t.Context()); after != before {
		t.Error("a refused change changed something")
	}
	if code, body := as(t, s, "carol", "POST", "/v1/resources/web/stop", `{"yes":true}`); code != 200 {
		t.Errorf("carol may not stop web: %d %s", code, body)
	}
	for _, want := range []string{
		`msg=audit user=bob@node2 uid=1000 pid=7 via=node2 what="stop resource web" result=refused code=forbidden`,
		`msg=audit user=carol@node2 uid=1000 pid=7 via=node2 what="stop resource web" objects="primitive \"web\"" result=done`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the audit lacks %s:\n%s", want, log.String())
		}
	}
	if commits, err := c.History(t.Context(), 1); err != nil || commits[0].User != "carol@node2" {
		t.Errorf("the commit is %+v, %v: want it to be carol's", commits, err)
	}
}

// Whatever a local user writes into a request, the kernel says who they are, here and on the coordinator.
func TestUsersCannotPassForOthers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it becomes another user")
	}
	dir, err := os.MkdirTemp("", "pl")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err := errors.Join(err, os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "ask"), program, 0o755)); err != nil {
		t.Fatal(err)
	}
	far := guarded(t)
	near := apitest.New("node2", "node1")
	tr := peer(t, far)
	near.Routing = func(context.Context) (api.Route, error) { return api.Route{Coordinator: "node1", Transport: tr}, nil }
	s := api.NewServer(api.Config{Backend: near, Plan: apitest.Plan, Group: "nogroup"})
	path := filepath.Join(dir, "s")
	l, err := s.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.ServeUnix(t.Context(), l) }()
	t.Cleanup(func() { <-done })
	ask := exec.Command(filepath.Join(dir, "ask"))
	ask.Env = []string{"PACELINE_TEST_FORGE=" + path}
	ask.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := ask.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if want := "none names user nobody"; !strings.Contains(string(out), want) {
		t.Errorf("got %s, want %s", out, want)
	}
}

// forge asks for the state over a socket with headers that say it is root who asks.
func forge(socket string) {
	c := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	r, _ := http.NewRequest("GET", "http://x/v1/cib", nil)
	r.Header.Set("Paceline-User", "root@node1")
	r.Header.Set("Paceline-Forwarded", "node1")
	r.Header.Set("Paceline-Caller", `{"name":"root","super":true}`)
	resp, err := c.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var e struct{ Error api.Error }
	b, _ := io.ReadAll(resp.Body)
	if json.Unmarshal(b, &e) != nil || e.Error.Why == "" {
		fmt.Printf("%s", b)
		return
	}
	fmt.Println(e.Error.Code, e.Error.Why)
}
