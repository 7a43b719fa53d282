package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"paceline/agent/access"
	"paceline/agent/cib"
	"paceline/agent/peer"
)

// ServeRemote answers requests of people and programs outside the cluster: each carries the secret of an access token, which
// says in whose name and with which rights. It returns when ctx ends. The caller guarantees that l is encrypted, and that
// who dials can tell that this is the cluster of their token.
//
// A token is looked at with every request, on the node that is asked and on the one that answers: one that was revoked or
// has expired is good for nothing more, and its streams end.
func (s *Server) ServeRemote(ctx context.Context, l net.Listener) error {
	guesses := &guesses{hosts: map[string]*guess{}}
	return serveUntil(ctx, s.httpServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := s.bearer(r, guesses, time.Now())
		if err != nil {
			e := asError(err, "use the cluster from elsewhere", s.node(r.Context()))
			s.log.Warn("audit", "remote", r.RemoteAddr, "what", r.Method+" "+r.URL.Path, "result", "refused", "code", e.Code, "cause", e.Why)
			writeError(w, e)
			return
		}
		s.mux.ServeHTTP(w, r.WithContext(withIdentity(r.Context(), id)))
	})), &capped{Listener: l, slots: make(chan struct{}, remoteMax)})
}

// bearer finds out whose request it is.
func (s *Server) bearer(r *http.Request, guesses *guesses, now time.Time) (identity, error) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if until := guesses.shut(host, now); !until.IsZero() {
		return identity{}, Errorf(CodeForbidden, "", "too many wrong tokens came from %s", host).
			WithHint("try again in %v, with the right one", until.Sub(now).Round(time.Second))
	}
	secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return identity{}, Errorf(CodeForbidden, "", "the request has no token")
	}
	t, err := s.tokenOf(r.Context(), peer.HashSecret(secret))
	if err != nil {
		return identity{}, err
	}
	if t == nil {
		guesses.wrong(host, now)
		return identity{}, gone()
	}
	if err := alive(t, now); err != nil {
		return identity{}, err
	}
	id := identity{user: t.User + "@" + host + " (token " + t.ID + ")", allowed: true}
	id.caller = caller{User: access.User{Name: t.User, Scope: scopeOf(t)}, UID: -1, Remote: r.RemoteAddr, Token: t.ID}
	return id, nil
}

// tokenOf finds a token by its hash; nil if there is none. A node that does not coordinate waits a moment before it says so:
// a token that was just made is known to the coordinator first.
func (s *Server) tokenOf(ctx context.Context, hash string) (*cib.AccessToken, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenWait)
	defer cancel()
	changed := s.backend.Changed(ctx)
	for {
		snap, err := s.backend.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		for _, t := range snap.CIB.Status.Access {
			if t.Hash == hash {
				return t, nil
			}
		}
		if l, err := s.backend.Live(ctx); err != nil || l.Coordinator == l.Node {
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil // the time is up, and nobody knows it
		}
	}
}

func gone() *Error {
	return Errorf(CodeForbidden, "", "the token is not known to this cluster: it was revoked, or forgotten after its end").
		WithHint("`paceline access token create`, on a member, makes a new one")
}

func alive(t *cib.AccessToken, now time.Time) error {
	if end := time.Unix(t.Expires, 0); !now.Before(end) {
		return Errorf(CodeForbidden, "", "token %s of %s expired on %s", t.ID, t.User, end.Format(time.RFC3339)).
			WithHint("`paceline access token create`, on a member, makes a new one")
	}
	return nil
}

func scopeOf(t *cib.AccessToken) *access.Scope {
	return &access.Scope{Kind: t.Scope, Roles: strings.Fields(t.Roles)}
}

// current looks a caller's token up in a state, and returns what it is good for now.
func (c *caller) current(state *cib.CIB, now time.Time) error {
	if c.Token == "" {
		return nil
	}
	for _, t := range state.Status.Access {
		if t.ID == c.Token && t.User == c.Name {
			c.Scope = scopeOf(t)
			return alive(t, now)
		}
	}
	return gone()
}

// guesses counts wrong tokens by host. A token cannot be guessed; who tries must not fill the log or wear out the daemon.
type guesses struct {
	mu    sync.Mutex
	hosts map[string]*guess
}

type guess struct {
	count int
	since time.Time // of the first of count
}

// shut says until when a host is not listened to; zero if it is.
func (g *guesses) shut(host string, now time.Time) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.hosts[host]
	if h == nil || h.count < guessesMax || !now.Before(h.since.Add(guessPause)) {
		return time.Time{}
	}
	return h.since.Add(guessPause)
}

func (g *guesses) wrong(host string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.hosts[host]
	if h == nil {
		if len(g.hosts) >= guessHostsMax {
			oldest := ""
			for name, other := range g.hosts {
				if oldest == "" || other.since.Before(g.hosts[oldest].since) {
					oldest = name
				}
			}
			delete(g.hosts, oldest)
		}
		h = &guess{}
		g.hosts[host] = h
	}
	if !now.Before(h.since.Add(guessPause)) {
		h.count, h.since = 0, now
	}
	h.count++
	if h.count == guessesMax {
		h.since = now // from here on it is shut
	}
}

// capped bounds the connections of a listener: those beyond wait to be accepted.
type capped struct {
	net.Listener
	slots chan struct{}
}

func (c *capped) Accept() (net.Conn, error) {
	c.slots <- struct{}{} // closing the server closes its connections, which frees slots
	conn, err := c.Listener.Accept()
	if err != nil {
		<-c.slots
		return nil, err
	}
	return &cappedConn{Conn: conn, release: sync.OnceFunc(func() { <-c.slots })}, nil
}

type cappedConn struct {
	net.Conn
	release func()
}

func (c *cappedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// AccessIssuer is the Backend of a daemon that can make access tokens.
type AccessIssuer interface {
	// IssueAccess draws a secret. It returns the token's text, and the hash by which the secret is recognised.
	IssueAccess(ctx context.Context, expires time.Time) (text, hash string, err error)
}

// AccessRequest asks for an access token.
type AccessRequest struct {
	User  string   `json:"user"`
	Scope string   `json:"scope,omitempty"` // read or write; empty with Roles
	Roles []string `json:"roles,omitempty"`
	TTL   Duration `json:"ttl,omitempty"` // 0: AccessTTL
}

// AccessToken describes a token. Its secret is not known.
type AccessToken struct {
	ID      string    `json:"id"`
	User    string    `json:"user"`
	Scope   string    `json:"scope,omitempty"`
	Roles   []string  `json:"roles,omitempty"`
	By      string    `json:"by,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Expired bool      `json:"expired,omitempty"`
}

// AccessReply is a new token: the only time that its text is told.
type AccessReply struct {
	Schema int         `json:"schema"`
	Text   string      `json:"token"`
	Token  AccessToken `json:"about"`
}

// AccessListReply lists access tokens, oldest first.
type AccessListReply struct {
	Schema int           `json:"schema"`
	Tokens []AccessToken `json:"tokens"`
}

func describeToken(t *cib.AccessToken, now time.Time) AccessToken {
	return AccessToken{
		ID: t.ID, User: t.User, Scope: t.Scope, Roles: strings.Fields(t.Roles), By: t.By, Created: time.Unix(t.Created, 0),
		Expires: time.Unix(t.Expires, 0), Expired: alive(t, now) != nil,
	}
}

func (s *Server) accessList(ctx context.Context, _ *request) (any, error) {
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	reply := &AccessListReply{Schema: Schema, Tokens: []AccessToken{}}
	for _, t := range snap.CIB.Status.Access {
		reply.Tokens = append(reply.Tokens, describeToken(t, time.Now()))
	}
	return reply, nil
}

func (s *Server) accessCreate(ctx context.Context, q *request) (any, error) {
	var r AccessRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	if r.TTL == 0 {
		r.TTL = Duration(AccessTTL)
	}
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.check(q, &snap.CIB.Configuration); err != nil {
		return nil, err
	}
	issuer, ok := s.backend.(AccessIssuer)
	if !ok {
		return nil, Errorf(CodeRefused, q.what, "this daemon makes no access tokens")
	}
	now := time.Now()
	expires := now.Add(time.Duration(r.TTL))
	text, hash, err := issuer.IssueAccess(ctx, expires)
	if err != nil {
		return nil, err
	}
	t := &cib.AccessToken{
		ID: hash[:tokenID], User: r.User, Scope: r.Scope, Roles: strings.Join(r.Roles, " "), Hash: hash, By: q.who.user,
		Created: now.Unix(), Expires: expires.Unix(),
	}
	q.objects = append(q.objects, "access token "+t.ID+" of "+t.User)
	if _, err := s.backend.Apply(ctx, Command{Change: cib.Change{SetAccess: &cib.SetAccess{ID: t.ID, Token: t}}, User: q.who.user}); err != nil {
		return nil, err
	}
	return &AccessReply{Schema: Schema, Text: text, Token: describeToken(t, now)}, nil
}

func (r *AccessRequest) check(q *request, c *cib.Configuration) error {
	if err := checkName("user", r.User); err != nil {
		return err
	}
	switch {
	case r.User == "":
		return Errorf(CodeUsage, q.what, "no user is named").WithHint("--user says in whose name the token is used: it stands in the audit and the history")
	case r.TTL < 0 || time.Duration(r.TTL) > AccessTTLMax:
		return Errorf(CodeUsage, q.what, "a token is good for at most %v", AccessTTLMax)
	case (r.Scope == "") == (len(r.Roles) == 0):
		return Errorf(CodeUsage, q.what, "a token needs either roles or a scope").WithHint("--role ROLE, or --scope read, or --scope write")
	case r.Scope != "" && r.Scope != access.ScopeRead && r.Scope != access.ScopeWrite:
		return Errorf(CodeUsage, q.what, "there is no scope %q", r.Scope).WithHint("scopes are read and write")
	}
	known := map[string]bool{}
	var names []string
	for _, role := range c.ACLs.Roles {
		known[role.ID] = true
		names = append(names, role.ID)
	}
	for _, role := range r.Roles {
		if !known[role] {
			return Errorf(CodeNotFound, q.what, "there is no role %q", role).WithHint("roles are %s", cmp.Or(list(names), "none yet: paceline configure role NAME ..."))
		}
	}
	return nil
}

func (s *Server) accessRevoke(ctx context.Context, q *request) (any, error) {
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var found []*cib.AccessToken
	for _, t := range snap.CIB.Status.Access {
		if t.ID == q.PathValue("token") {
			found = append(found, t)
		}
	}
	if len(found) == 0 {
		return nil, Errorf(CodeNotFound, q.what, "there is no such access token").WithHint("`paceline access token list` lists them")
	}
	t := found[0]
	q.objects = append(q.objects, "access token "+t.ID+" of "+t.User)
	if _, err := s.backend.Apply(ctx, Command{Change: cib.Change{SetAccess: &cib.SetAccess{ID: t.ID}}, User: q.who.user}); err != nil {
		return nil, err
	}
	return &AccessListReply{Schema: Schema, Tokens: []AccessToken{describeToken(t, time.Now())}}, nil
}

// CreateAccess makes an access token.
func (c *Client) CreateAccess(ctx context.Context, r AccessRequest) (*AccessReply, error) {
	return post[AccessReply](ctx, c, "/v1/access/tokens", r, RequestMax)
}

// AccessTokens lists access tokens.
func (c *Client) AccessTokens(ctx context.Context) (*AccessListReply, error) {
	return get[AccessListReply](ctx, c, "/v1/access/tokens", nil)
}

// RevokeAccess ends an access token, and returns what it was.
func (c *Client) RevokeAccess(ctx context.Context, id string) (*AccessListReply, error) {
	return post[AccessListReply](ctx, c, "/v1/access/tokens/"+id+"/revoke", struct{}{}, RequestMax)
}

// NewRemoteClient returns a client of the cluster of an access token. address ("host:port") is where to ask; empty means
// the members that the token names, one after the other. Nothing is dialled before the first request.
func NewRemoteClient(token, address string) (*Client, error) {
	t, err := peer.ParseAccessToken(token)
	if err != nil {
		return nil, Errorf(CodeUsage, "use the access token", "%v", err)
	}
	if err := t.Check(time.Now()); err != nil {
		return nil, Errorf(CodeForbidden, "use the access token", "it was good until %s", t.Expires.Format(time.RFC3339)).
			WithHint("`paceline access token create`, on a member, makes a new one")
	}
	addresses := t.Addresses
	if address != "" {
		addresses = []string{address}
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var failed []error
		for _, a := range addresses {
			conn, err := peer.DialAccess(ctx, t.CAFingerprint, a)
			if err == nil {
				return conn, nil
			}
			failed = append(failed, fmt.Errorf("%s: %w", a, err))
		}
		return nil, errors.Join(failed...)
	}
	return &Client{
		socket: strings.Join(addresses, ", "), bearer: t.SecretText(),
		http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableCompression: true}},
	}, nil
}

// NewFailingClient returns a client of which every request ends with an error: that of finding out whom to ask.
func NewFailingClient(err error) *Client { return &Client{failed: err, http: &http.Client{}} }
