package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"syscall"
	"time"
)

// SocketDefault is where a daemon listens if nobody says otherwise.
const SocketDefault = "/run/paceline/paceline.sock"

// Client speaks to the daemon behind a unix socket. Its errors are *Error. It may be used concurrently.
type Client struct {
	socket string // or the addresses of members
	bearer string // the secret of an access token; empty for a socket
	failed error  // of finding out whom to ask
	http   *http.Client
}

// NewClient returns a client of the daemon at a socket. Nothing is dialled before the first request.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		d := net.Dialer{Timeout: RouteWait}
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableCompression: true}}}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Health returns the daemon's own state. It works on a node that belongs to no cluster.
func (c *Client) Health(ctx context.Context) (*Health, error) {
	return get[Health](ctx, c, "/v1/health", nil)
}

// Status returns the state of the cluster; without a coordinator what the node last knew, marked stale.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	return get[Status](ctx, c, "/v1/status", nil)
}

// CIB returns the whole committed state.
func (c *Client) CIB(ctx context.Context) (*CIBReply, error) {
	return get[CIBReply](ctx, c, "/v1/cib", nil)
}

// CIBXML returns the whole committed state in Pacemaker's XML.
func (c *Client) CIBXML(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, RequestMax+RouteWait)
	defer cancel()
	resp, err := c.do(ctx, http.MethodGet, "/v1/cib.xml", nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, ReplyMax))
	if err != nil {
		return nil, c.broken(err)
	}
	return b, nil
}

// Configuration returns the configuration as committed at a revision; 0 is the current one.
func (c *Client) Configuration(ctx context.Context, revision uint64) (*ConfigurationReply, error) {
	v := url.Values{}
	if revision != 0 {
		v.Set("revision", strconv.FormatUint(revision, 10))
	}
	return get[ConfigurationReply](ctx, c, "/v1/configuration", v)
}

// LastConfiguration returns the configuration that the node which answers last knew, for when there is no coordinator.
func (c *Client) LastConfiguration(ctx context.Context) (*ConfigurationReply, error) {
	return get[ConfigurationReply](ctx, c, "/v1/configuration/here", nil)
}

// LastHistory returns the commits that the node which answers last knew, for when there is no coordinator.
func (c *Client) LastHistory(ctx context.Context, n int) (*HistoryReply, error) {
	return get[HistoryReply](ctx, c, "/v1/history/here", url.Values{"n": {strconv.Itoa(n)}})
}

// History returns the last n commits of the configuration, newest first.
func (c *Client) History(ctx context.Context, n int) (*HistoryReply, error) {
	return get[HistoryReply](ctx, c, "/v1/history", url.Values{"n": {strconv.Itoa(n)}})
}

// Timeline returns the last n events of the cluster's life, newest first; of one node or resource if they are named.
func (c *Client) Timeline(ctx context.Context, n int, node, resource string) (*TimelineReply, error) {
	return get[TimelineReply](ctx, c, "/v1/timeline", url.Values{"n": {strconv.Itoa(n)}, "node": {node}, "resource": {resource}})
}

// Transition returns the saved input of a transition, wherever it is kept, planned again.
func (c *Client) Transition(ctx context.Context, id string) (*TransitionReply, error) {
	return get[TransitionReply](ctx, c, "/v1/transition", url.Values{"id": {id}})
}

// Explain says why a resource is where it is; node may be empty.
func (c *Client) Explain(ctx context.Context, resource, node string) (*Explanation, error) {
	return get[Explanation](ctx, c, "/v1/explain", url.Values{"resource": {resource}, "node": {node}})
}

// Agents names the agents of the node that is asked.
func (c *Client) Agents(ctx context.Context) (*AgentsReply, error) {
	return get[AgentsReply](ctx, c, "/v1/agents", nil)
}

// Agent describes an agent of the node that is asked. The name may be short: "IPaddr2", "heartbeat:IPaddr2".
func (c *Client) Agent(ctx context.Context, name string) (*AgentReply, error) {
	return get[AgentReply](ctx, c, "/v1/agent", url.Values{"agent": {name}})
}

// Wait returns when the cluster has settled at or after a revision, or after the time given.
func (c *Client) Wait(ctx context.Context, revision uint64, d time.Duration) (*WaitReply, error) {
	v := url.Values{"revision": {strconv.FormatUint(revision, 10)}, "wait": {d.String()}}
	return exchange[WaitReply](ctx, c, http.MethodGet, "/v1/wait?"+v.Encode(), nil, d+RequestMax)
}

// Change changes the configuration.
func (c *Client) Change(ctx context.Context, r ChangeRequest) (*ChangeReply, error) {
	return post[ChangeReply](ctx, c, "/v1/configuration", r, RequestMax+time.Duration(r.Wait))
}

// Node sets a node's mode: standby, online, maintenance, ready.
func (c *Client) Node(ctx context.Context, node, mode string, r NodeRequest) (*ChangeReply, error) {
	return post[ChangeReply](ctx, c, "/v1/nodes/"+url.PathEscape(node)+"/"+mode, r, RequestMax+time.Duration(r.Wait))
}

// Fence fences a node and returns when that has ended.
func (c *Client) Fence(ctx context.Context, r FenceRequest) (*FenceReply, error) {
	return post[FenceReply](ctx, c, "/v1/nodes/"+url.PathEscape(r.Node)+"/fence", r, FenceMax)
}

// Resource acts on a resource: start, stop, restart, move, clear.
func (c *Client) Resource(ctx context.Context, resource, verb string, r ResourceRequest) (*ChangeReply, error) {
	return post[ChangeReply](ctx, c, "/v1/resources/"+url.PathEscape(resource)+"/"+verb, r, 2*(WaitDefault+RequestMax+time.Duration(r.Wait)))
}

// Cleanup forgets failures.
func (c *Client) Cleanup(ctx context.Context, r CleanupRequest) (*ChangeReply, error) {
	return post[ChangeReply](ctx, c, "/v1/cleanup", r, RequestMax+time.Duration(r.Wait))
}

// Checkup looks for what is wrong, or will be, with the whole cluster.
func (c *Client) Checkup(ctx context.Context) (*Checkup, error) {
	return get[Checkup](ctx, c, "/v1/checkup", nil)
}

// Audit reads the journals of all nodes and says whether what truly happened kept the cluster's promises.
func (c *Client) Audit(ctx context.Context) (*AuditReply, error) {
	return exchange[AuditReply](ctx, c, http.MethodGet, "/v1/audit", nil, 2*AuditMax)
}

// AuditHere returns the part of an audit that the node which is asked tells of itself.
func (c *Client) AuditHere(ctx context.Context) (*AuditPartReply, error) {
	return exchange[AuditPartReply](ctx, c, http.MethodGet, "/v1/audit/here", nil, AuditMax)
}

// Report returns a node's part of a report.
func (c *Client) Report(ctx context.Context, node string, span ReportSpan) (*ReportPart, error) {
	v := url.Values{"node": {node}, "from": {strconv.FormatInt(span.From.Unix(), 10)}}
	if !span.To.IsZero() {
		v.Set("to", strconv.FormatInt(span.To.Unix(), 10))
	}
	return exchange[ReportPart](ctx, c, http.MethodGet, "/v1/report?"+v.Encode(), nil, ReportMax)
}

// Refresh forgets what is known of resources, so that their agents are asked anew.
func (c *Client) Refresh(ctx context.Context, r CleanupRequest) (*ChangeReply, error) {
	return post[ChangeReply](ctx, c, "/v1/refresh", r, RequestMax+time.Duration(r.Wait))
}

// ResourceValue sets or deletes a parameter, meta attribute or utilization of a resource.
func (c *Client) ResourceValue(ctx context.Context, resource string, r ValueRequest) (*ChangeReply, error) {
	return post[ChangeReply](ctx, c, "/v1/resources/"+url.PathEscape(resource)+"/value", r, RequestMax+time.Duration(r.Wait))
}

// NodeValue sets or deletes an attribute or capacity of a node.
func (c *Client) NodeValue(ctx context.Context, node string, r ValueRequest) (*ChangeReply, error) {
	return post[ChangeReply](ctx, c, "/v1/nodes/"+url.PathEscape(node)+"/value", r, RequestMax+time.Duration(r.Wait))
}

// Failcount sets or deletes fail counts of a resource.
func (c *Client) Failcount(ctx context.Context, resource string, r FailcountRequest) (*ChangeReply, error) {
	return post[ChangeReply](ctx, c, "/v1/resources/"+url.PathEscape(resource)+"/failcount", r, RequestMax+time.Duration(r.Wait))
}

// Ticket acts on a ticket at this site: grant, revoke, standby, activate, delete.
func (c *Client) Ticket(ctx context.Context, ticket string, r TicketRequest) (*ChangeReply, error) {
	return post[ChangeReply](ctx, c, "/v1/tickets/"+url.PathEscape(ticket), r, RequestMax+time.Duration(r.Wait))
}

// Init makes a cluster of this node.
func (c *Client) Init(ctx context.Context, r InitRequest) (*InitReply, error) {
	return post[InitReply](ctx, c, "/v1/cluster/init", r, LeaveMax)
}

// Join makes this node a member of the token's cluster.
func (c *Client) Join(ctx context.Context, r JoinRequest) (*JoinReply, error) {
	return post[JoinReply](ctx, c, "/v1/cluster/join", r, LeaveMax)
}

// Token makes a join token.
func (c *Client) Token(ctx context.Context, r TokenRequest) (*TokenReply, error) {
	return post[TokenReply](ctx, c, "/v1/cluster/token", r, RequestMax)
}

// Leave takes a node out of the cluster.
func (c *Client) Leave(ctx context.Context, r LeaveRequest) (*LeaveReply, error) {
	return post[LeaveReply](ctx, c, "/v1/cluster/leave", r, LeaveMax)
}

// RotateKey replaces the cluster's key on all members, without a stop.
func (c *Client) RotateKey(ctx context.Context, r KeyRotateRequest) (*KeyRotateReply, error) {
	return post[KeyRotateReply](ctx, c, "/v1/cluster/key/rotate", r, LeaveMax)
}

// RenewKey fetches the cluster's key for this node with a join token.
func (c *Client) RenewKey(ctx context.Context, r KeyRenewRequest) (*KeyRotateReply, error) {
	return post[KeyRotateReply](ctx, c, "/v1/cluster/key/renew", r, LeaveMax)
}

// ForceQuorum makes this node the only voter: the last resort when the majority is lost for good.
func (c *Client) ForceQuorum(ctx context.Context, r ForceQuorumRequest) (*ForceQuorumReply, error) {
	return post[ForceQuorumReply](ctx, c, "/v1/cluster/force-quorum", r, LeaveMax)
}

// Watch yields the status now and whenever it changes, until ctx ends or the stream breaks; the error, if any, comes last.
func (c *Client) Watch(ctx context.Context) iter.Seq2[*Status, error] {
	return func(yield func(*Status, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		resp, err := c.do(ctx, http.MethodGet, "/v1/watch", nil)
		if err != nil {
			yield(nil, err)
			return
		}
		defer resp.Body.Close()
		// A stream that is silent for several heartbeats is dead.
		silence := time.AfterFunc(3*HeartbeatEvery, cancel)
		defer silence.Stop()
		lines := bufio.NewReader(resp.Body)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				yield(nil, c.broken(err))
				return
			}
			silence.Reset(3 * HeartbeatEvery)
			var e WatchEvent
			if err := json.Unmarshal(line, &e); err != nil {
				yield(nil, c.broken(err))
				return
			}
			if e.Error != nil {
				yield(nil, e.Error)
				return
			}
			if e.Status != nil && !yield(e.Status, nil) {
				return
			}
		}
	}
}

func get[T any](ctx context.Context, c *Client, path string, v url.Values) (*T, error) {
	if len(v) > 0 {
		path += "?" + v.Encode()
	}
	return exchange[T](ctx, c, http.MethodGet, path, nil, RequestMax)
}

func post[T any](ctx context.Context, c *Client, path string, body any, limit time.Duration) (*T, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, Errorf(CodeUsage, "write the request", "%v", err)
	}
	return exchange[T](ctx, c, http.MethodPost, path, b, limit)
}

// exchange makes a request that ends within limit (and the search for a coordinator), and decodes its reply.
func exchange[T any](ctx context.Context, c *Client, method, path string, body []byte, limit time.Duration) (*T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit+RouteWait)
	defer cancel()
	resp, err := c.do(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := new(T)
	if err := json.NewDecoder(io.LimitReader(resp.Body, ReplyMax)).Decode(out); err != nil {
		return nil, c.broken(err)
	}
	return out, nil
}

// do makes a request; the reply's status is 200.
func (c *Client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	if c.failed != nil {
		return nil, c.failed
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://paceline"+path, bytes.NewReader(body))
	if err != nil {
		return nil, Errorf(CodeUsage, "write the request", "%v", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if c.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, decodeError(resp.StatusCode, resp.Body)
	}
	return resp, nil
}

// unreachable puts into words why the daemon does not answer.
func (c *Client) unreachable(err error) *Error {
	what := "cannot reach pacelined at " + c.socket
	if errors.Is(err, context.DeadlineExceeded) {
		return Errorf(CodeTimeout, what, "it did not answer in time").
			WithHint("see whether it lives: systemctl status pacelined, journalctl -u pacelined")
	}
	if errors.Is(err, context.Canceled) {
		return Errorf(CodeTimeout, what, "interrupted")
	}
	e := &Error{Code: CodeUnreachable, What: what, Why: err.Error()}
	var no syscall.Errno
	if errors.As(err, &no) {
		e.Why = no.Error()
	}
	switch {
	case c.bearer != "":
		e.Hint = "the token names where the cluster was when it was made; another member: --host HOST, or environment PACELINE_HOST"
		if u := (*url.Error)(nil); errors.As(err, &u) {
			e.Why = u.Err.Error() // without the method and the URL
		}
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		e.Hint = "start the daemon: systemctl start pacelined (another socket: environment PACELINE_SOCKET)"
	case errors.Is(err, os.ErrPermission):
		e.Hint = "run the command as root, or as a member of group haclient"
	}
	return e
}

func (c *Client) broken(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return c.unreachable(err)
	}
	return Errorf(CodeUnreachable, "read the answer of pacelined at "+c.socket, "%v", fmt.Errorf("the connection broke: %w", err))
}
