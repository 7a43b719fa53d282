package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
	"paceline/agent/cib"
)

// What is sent to the daemon, and where to: a body of anybody who may open the socket.
var fuzzed = []string{
	"/v1/configuration", "/v1/nodes/a/standby", "/v1/nodes/a/online", "/v1/nodes/a/fence", "/v1/resources/w/move", "/v1/resources/w/ban", "/v1/resources/w/start",
	"/v1/resources/w/restart", "/v1/resources/w/clear", "/v1/resources/w/maintenance", "/v1/resources/w/value", "/v1/resources/w/failcount",
	"/v1/nodes/a/value", "/v1/cleanup", "/v1/refresh", "/v1/attributes", "/v1/tickets/t", "/v1/access/tokens", "/v1/cluster/init", "/v1/cluster/join",
	"/v1/cluster/token", "/v1/cluster/leave", "/v1/cluster/force-quorum", "/v1/nowhere",
}

// fuzzMax bounds one request: one that waits for a cluster is given up.
const fuzzMax = 300 * time.Millisecond

// Whatever body a request has, the answer is JSON that says what was done or why not; nothing breaks, and what is committed by it is
// a state that can be written and read.
func FuzzBody(f *testing.F) {
	conf := &cib.Configuration{Resources: []*cib.Resource{primitive("w")}}
	value := "v"
	for i, body := range []any{
		api.ChangeRequest{Configuration: conf}, api.NodeRequest{UntilReboot: true}, api.ResourceRequest{Node: "a"}, api.FenceRequest{}, api.CleanupRequest{Resource: "w"},
		api.ChangeRequest{Change: &cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: "a", Name: "n", Value: &value}}},
		api.ValueRequest{}, api.FailcountRequest{}, api.AttributesRequest{}, api.TicketRequest{}, api.AccessRequest{}, api.InitRequest{}, api.JoinRequest{}, api.TokenRequest{},
	} {
		b, err := json.Marshal(body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), b)
		f.Add(byte(0), b)
	}
	f.Add(byte(0), []byte(`{"configuration":{"resources":[{"id":"a","kind":"group","children":[null]}]}}`))
	f.Add(byte(0), []byte(`{"change":{"batch":[{"batch":[]}]},"wait":"1ns"}`))
	f.Fuzz(func(t *testing.T, where byte, body []byte) {
		c := apitest.New("a", "b")
		s := api.NewServer(api.Config{Backend: c, Plan: apitest.Plan})
		path := filepath.Join(t.TempDir(), "s")
		l, err := s.ListenUnix(path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.ServeUnix(ctx, l) }()
		defer func() {
			cancel()
			if err := <-served; err != nil {
				t.Errorf("serve: %v", err)
			}
		}()
		client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}}}
		defer client.CloseIdleConnections()
		ask, give := context.WithTimeout(ctx, fuzzMax)
		defer give()
		req, err := http.NewRequestWithContext(ask, http.MethodPost, "http://paceline"+fuzzed[int(where)%len(fuzzed)], bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
		case err != nil:
			t.Fatalf("no answer: %v", err)
		default:
			text, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err == nil && !json.Valid(text) && resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed {
				t.Fatalf("status %d, and no JSON: %q", resp.StatusCode, text)
			}
		}
		snap, err := c.Snapshot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		cib.Validate(snap.CIB)
		var out bytes.Buffer
		if err := cib.Encode(&out, snap.CIB); err == nil {
			if _, _, err := cib.Decode(&out); err != nil {
				t.Fatalf("what was committed can not be read: %v\n%s", err, out.String())
			}
		}
	})
}
