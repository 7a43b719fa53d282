package api

import (
	"bytes"
	"cmp"
	"context"
	"strconv"
	"time"

	"paceline/agent/cib"
)

// endpoints is the whole API.
var endpoints = []endpoint{
	{method: "GET", path: "/v1/health", where: here, limit: RequestMax, what: says("ask for health"), answer: (*Server).health},
	{method: "GET", path: "/v1/status", where: here, limit: RequestMax, what: says("read the status"), answer: (*Server).status},
	{method: "GET", path: "/v1/watch", where: here, stream: true, what: says("watch the status"), answer: (*Server).watch},
	{method: "GET", path: "/v1/cib", limit: RequestMax, what: says("read the state"), answer: (*Server).cib},
	{method: "GET", path: "/v1/cib.xml", limit: RequestMax, what: says("read the state"), answer: (*Server).cibXML},
	{method: "GET", path: "/v1/configuration", limit: RequestMax, what: says("read the configuration"), answer: (*Server).configuration},
	{method: "GET", path: "/v1/configuration/here", where: here, limit: RequestMax, what: says("read the configuration"), answer: (*Server).configuration},
	{method: "GET", path: "/v1/history", limit: RequestMax, what: says("read the history"), answer: (*Server).history},
	{method: "GET", path: "/v1/history/here", where: here, limit: RequestMax, what: says("read the history"), answer: (*Server).history},
	{method: "GET", path: "/v1/timeline", limit: RequestMax, what: says("read the timeline"), answer: (*Server).timeline},
	{method: "GET", path: "/v1/timeline/here", where: here, limit: RequestMax, what: says("read the timeline"), answer: (*Server).timelineHere},
	{method: "GET", path: "/v1/transition", limit: RequestMax, what: says("read the input of a transition"), right: rightReadAll, answer: (*Server).transition},
	{method: "GET", path: "/v1/transition/here", where: here, limit: RequestMax, what: says("read the input of a transition"), right: rightReadAll, answer: (*Server).transitionHere},
	{method: "GET", path: "/v1/explain", limit: RequestMax, what: about("explain", "resource"), answer: (*Server).explain},
	{method: "GET", path: "/v1/wait", limit: WaitDefault + RequestMax, what: says("wait for the cluster"), answer: (*Server).waitEndpoint},
	{method: "GET", path: "/v1/agents", where: here, limit: RequestMax, what: says("list agents"), right: rightOpen, answer: (*Server).agents},
	{method: "GET", path: "/v1/agent", where: here, limit: agentMax, what: about("describe agent", "agent"), right: rightOpen, answer: (*Server).agent},

	{method: "GET", path: "/v1/inspection", where: here, limit: RequestMax, what: says("look at the node"), answer: (*Server).inspection},
	{method: "GET", path: "/v1/report", where: here, limit: ReportMax, what: says("collect a report"), right: rightReadAll, answer: (*Server).report},
	{method: "GET", path: "/v1/traces", where: here, limit: RequestMax, what: about("read traces of", "resource"), right: rightReadAll, answer: (*Server).traces},
	{method: "GET", path: "/v1/audit", where: here, limit: 2 * AuditMax, what: says("audit the cluster"), right: rightReadAll, answer: (*Server).auditCluster},
	{method: "GET", path: "/v1/audit/here", where: here, limit: AuditMax, what: says("audit the node"), right: rightReadAll, answer: (*Server).auditPart},
	{method: "GET", path: "/v1/checkup", limit: RequestMax, what: says("check the cluster"), answer: (*Server).checkup},

	{method: "POST", path: "/v1/configuration", limit: RequestMax, what: says("change the configuration"), answer: (*Server).change},
	{method: "POST", path: "/v1/nodes/{node}/standby", limit: RequestMax, what: onNode("standby"), answer: nodeMode("standby", "on")},
	{method: "POST", path: "/v1/nodes/{node}/online", limit: RequestMax, what: onNode("online"), answer: nodeMode("standby", "")},
	{method: "POST", path: "/v1/nodes/{node}/maintenance", limit: RequestMax, what: onNode("maintenance"), answer: nodeMode("maintenance", "true")},
	{method: "POST", path: "/v1/nodes/{node}/ready", limit: RequestMax, what: onNode("ready"), answer: nodeMode("maintenance", "")},
	{method: "POST", path: "/v1/nodes/{node}/fence", limit: FenceMax, what: onNode("fence"), answer: (*Server).fence, elseHere: confirmedFence},
	{method: "POST", path: "/v1/resources/{resource}/start", limit: RequestMax, what: onResource("start"), answer: (*Server).start},
	{method: "POST", path: "/v1/resources/{resource}/stop", limit: RequestMax, what: onResource("stop"), answer: (*Server).stop},
	{method: "POST", path: "/v1/resources/{resource}/restart", limit: WaitDefault, what: onResource("restart"), answer: (*Server).restart},
	{method: "POST", path: "/v1/resources/{resource}/move", limit: WaitDefault, what: onResource("move"), answer: (*Server).move},
	{method: "POST", path: "/v1/resources/{resource}/clear", limit: RequestMax, what: onResource("clear"), answer: (*Server).clear},
	{method: "POST", path: "/v1/resources/{resource}/promote", limit: RequestMax, what: onResource("promote"), answer: (*Server).promote},
	{method: "POST", path: "/v1/resources/{resource}/demote", limit: RequestMax, what: onResource("demote"), answer: (*Server).demote},
	{method: "POST", path: "/v1/resources/{resource}/ban", limit: RequestMax, what: onResource("ban"), answer: (*Server).ban},
	{method: "POST", path: "/v1/resources/{resource}/manage", limit: RequestMax, what: onResource("manage"), answer: (*Server).manage},
	{method: "POST", path: "/v1/resources/{resource}/unmanage", limit: RequestMax, what: onResource("unmanage"), answer: (*Server).unmanage},
	{method: "POST", path: "/v1/resources/{resource}/maintenance", limit: RequestMax, what: onResource("maintenance of"), answer: (*Server).maintain},
	{method: "POST", path: "/v1/resources/{resource}/value", limit: RequestMax, what: onResource("change"), answer: (*Server).resourceValue},
	{method: "POST", path: "/v1/resources/{resource}/failcount", limit: RequestMax, what: onResource("fail count of"), answer: (*Server).failcount},
	{method: "POST", path: "/v1/nodes/{node}/value", limit: RequestMax, what: onNode("change"), answer: (*Server).nodeValue},
	{method: "POST", path: "/v1/tickets/{ticket}", limit: RequestMax, what: onTicket, answer: (*Server).ticket},
	{method: "POST", path: "/v1/refresh", limit: RequestMax, what: says("refresh"), answer: (*Server).refresh},
	{method: "POST", path: "/v1/cleanup", limit: RequestMax, what: says("clean up"), answer: (*Server).cleanup},

	{method: "GET", path: "/v1/attributes", where: here, limit: RequestMax, what: says("read attributes"), right: rightReadAll, answer: (*Server).attributes},
	{method: "POST", path: "/v1/attributes", where: here, quiet: true, limit: RequestMax, what: says("set attributes"), right: rightWriteAll, answer: (*Server).setAttributes},

	{method: "GET", path: "/v1/access/tokens", limit: RequestMax, what: says("list access tokens"), right: rightReadAll, answer: (*Server).accessList},
	{method: "POST", path: "/v1/access/tokens", limit: RequestMax, what: says("make an access token"), right: rightLocal, answer: (*Server).accessCreate},
	{method: "POST", path: "/v1/access/tokens/{token}/revoke", limit: RequestMax, what: func(q *request) string { return "revoke access token " + q.PathValue("token") }, right: rightLocal, answer: (*Server).accessRevoke},

	{method: "POST", path: "/v1/cluster/init", where: here, limit: LeaveMax, what: says("make a cluster"), right: rightLocal, answer: (*Server).initCluster},
	{method: "POST", path: "/v1/cluster/join", where: here, limit: LeaveMax, what: says("join the cluster"), right: rightLocal, answer: (*Server).join},
	{method: "POST", path: "/v1/cluster/token", where: here, limit: RequestMax, what: says("make a join token"), right: rightLocal, answer: (*Server).token},
	{method: "POST", path: "/v1/cluster/leave", where: hereIfOwn, limit: LeaveMax, what: says("leave the cluster"), right: rightLocal, answer: (*Server).leave},
	{method: "POST", path: "/v1/cluster/key/rotate", limit: LeaveMax, what: says("rotate the cluster's key"), right: rightLocal, answer: (*Server).rotateKey},
	{method: "POST", path: "/v1/cluster/key/renew", where: here, limit: LeaveMax, what: says("renew the cluster's key"), right: rightLocal, answer: (*Server).renewKey},
	{method: "POST", path: "/v1/disks", where: here, limit: FenceMax, what: says("work on shared disks"), right: rightLocal, answer: (*Server).disks},
	{method: "POST", path: "/v1/cluster/force-quorum", where: here, limit: LeaveMax, what: says("force a quorum"), right: rightLocal, answer: (*Server).forceQuorum},
}

func says(what string) func(*request) string { return func(*request) string { return what } }

func about(verb, parameter string) func(*request) string {
	return func(q *request) string { return verb + " " + q.URL.Query().Get(parameter) }
}

func onNode(verb string) func(*request) string {
	return func(q *request) string { return verb + " node " + q.PathValue("node") }
}

func onResource(verb string) func(*request) string {
	return func(q *request) string { return verb + " resource " + q.PathValue("resource") }
}

func onTicket(q *request) string {
	var r TicketRequest
	if q.decode(&r) != nil || r.Action == "" {
		return "change ticket " + q.PathValue("ticket")
	}
	return r.Action + " ticket " + q.PathValue("ticket")
}

func (s *Server) health(ctx context.Context, _ *request) (any, error) {
	l, err := s.backend.Live(ctx)
	if err != nil {
		return nil, err
	}
	h := &Health{
		Schema: Schema, Node: l.Node, Version: l.Version, Cluster: l.Cluster, Coordinator: l.Coordinator,
		Quorate: l.Quorum.Quorate, Problems: nonNil(l.Problems), OK: l.Cluster != "" && l.Coordinator != "" && l.Quorum.Quorate,
	}
	for _, p := range l.Problems {
		h.OK = h.OK && p.Severity != SeverityError
	}
	return h, nil
}

func (s *Server) cib(ctx context.Context, _ *request) (any, error) {
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return &CIBReply{Schema: Schema, Revision: snap.Revision, ConfigRevision: snap.ConfigRevision, CIB: snap.CIB}, nil
}

func (s *Server) cibXML(ctx context.Context, q *request) (any, error) {
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := q.may.Read(snap.CIB)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := cib.Export(&b, seen); err != nil {
		return nil, err
	}
	return rawReply{"application/xml", b.Bytes()}, nil
}

func (s *Server) configuration(ctx context.Context, q *request) (any, error) {
	text := q.URL.Query().Get("revision")
	if text == "" {
		snap, err := s.backend.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		return &ConfigurationReply{Schema: Schema, Revision: snap.ConfigRevision, Configuration: &snap.CIB.Configuration}, nil
	}
	rev, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, Errorf(CodeUsage, q.what, "%q is not a revision", text).WithHint("`paceline configure commit-history` lists them")
	}
	c, err := s.backend.At(ctx, rev)
	if err != nil {
		return nil, err
	}
	return &ConfigurationReply{Schema: Schema, Revision: rev, Configuration: c}, nil
}

func (s *Server) history(ctx context.Context, q *request) (any, error) {
	n, err := entries(q, HistoryDefault)
	if err != nil {
		return nil, err
	}
	commits, err := s.backend.History(ctx, n)
	if err != nil {
		return nil, err
	}
	return &HistoryReply{Schema: Schema, Commits: nonNil(commits)}, nil
}

func (s *Server) change(ctx context.Context, q *request) (any, error) {
	var r ChangeRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	if (r.Change == nil) == (r.Configuration == nil) {
		return nil, Errorf(CodeUsage, q.what, "a request carries either one change or one configuration")
	}
	e := edit{base: r.BaseRevision, message: r.Message, dryRun: r.DryRun, yes: r.Yes, wait: time.Duration(r.Wait)}
	if r.Configuration != nil {
		e.change = cib.Change{Configure: &cib.Configure{Configuration: *r.Configuration}}
	} else {
		if err := configurationOnly(r.Change); err != nil {
			return nil, err
		}
		e.change = *r.Change
	}
	return s.commit(ctx, q, e)
}

func (s *Server) initCluster(ctx context.Context, q *request) (any, error) {
	var r InitRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	if err := checkName("cluster", r.Cluster); err != nil {
		return nil, err
	}
	if err := checkName("node", r.Node); err != nil {
		return nil, err
	}
	switch r.Profile {
	case "", "lan", "fast", "wan":
	default:
		return nil, Errorf(CodeUsage, q.what, "there is no time profile %q", r.Profile).WithHint("profiles are lan, fast and wan")
	}
	reply, err := s.backend.Init(ctx, r)
	reply.Schema = Schema
	return &reply, err
}

func (s *Server) join(ctx context.Context, q *request) (any, error) {
	var r JoinRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	if r.Token == "" {
		return nil, Errorf(CodeUsage, q.what, "no token is given").WithHint("`paceline cluster token` on a member prints one")
	}
	if err := checkName("node", r.Node); err != nil {
		return nil, err
	}
	reply, err := s.backend.Join(ctx, r)
	reply.Schema = Schema
	return &reply, err
}

func (s *Server) token(ctx context.Context, q *request) (any, error) {
	var r TokenRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	if r.TTL < 0 {
		return nil, Errorf(CodeUsage, q.what, "a token cannot expire %v ago", time.Duration(-r.TTL))
	}
	if r.TTL == 0 {
		r.TTL = Duration(TokenTTL)
	}
	reply, err := s.backend.Token(ctx, r)
	reply.Schema = Schema
	return &reply, err
}

// leave guards against taking the last copy of something down: for the node that was asked its resources move away first, so the
// check is that they have somewhere to go. Another one is taken out only when it is gone.
func (s *Server) leave(ctx context.Context, q *request) (any, error) {
	var r LeaveRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	l, err := s.backend.Live(ctx)
	if err != nil {
		return nil, err
	}
	if l.Cluster == "" {
		return nil, ErrUnconfigured
	}
	if r.Node == "" {
		r.Node = l.Node
	}
	if another := q.who.forwarded != "" || r.Node != l.Node; another {
		for _, m := range l.Members {
			if m.Name == r.Node && m.State == MemberAlive {
				return nil, Errorf(CodeRefused, "remove node "+r.Node, "it is alive: a node leaves by itself, so that what it runs moves away first").
					WithHint("on %s: paceline cluster leave", r.Node)
			}
		}
	}
	var guard error
	if !r.Yes {
		guard = s.guardNode(ctx, q, r.Node, withoutVoter)
	}
	if r.DryRun {
		return s.leavePreview(ctx, r.Node, guard)
	}
	if guard != nil {
		return nil, guard
	}
	reply, err := s.backend.Leave(ctx, r)
	reply.Schema = Schema
	return &reply, err
}

// forceQuorum is the last resort when the majority of the voters is lost for good.
func (s *Server) forceQuorum(ctx context.Context, q *request) (any, error) {
	var r ForceQuorumRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	l, err := s.backend.Live(ctx)
	if err != nil {
		return nil, err
	}
	forcer, ok := s.backend.(QuorumForcer)
	switch {
	case l.Cluster == "":
		return nil, ErrUnconfigured
	case l.Coordinator != "" && l.Quorum.Quorate:
		return nil, Errorf(CodeRefused, q.what, "there is quorum, and %s coordinates", l.Coordinator).
			WithHint("nothing is to be forced: `paceline cluster status` shows who votes")
	case !ok:
		return nil, Errorf(CodeRefused, q.what, "this daemon cannot do it")
	}
	var others []string
	for _, m := range l.Members {
		if m.Name == l.Node || m.Role != RoleVoter && m.Role != RoleWitness {
			continue
		}
		if m.State == MemberAlive {
			return nil, Errorf(CodeRefused, q.what, "%s is alive: it and this node may still agree", m.Name).
				WithHint("stop pacelined on %s first if it is really to be given up", m.Name)
		}
		others = append(others, m.Name)
	}
	if !r.Yes {
		return nil, Errorf(CodeConfirm, q.what, "if one of %s runs anywhere, services run twice and data is lost; changes that only the others hold are lost in any case",
			cmp.Or(list(others), "the other voters")).
			WithHint("make sure that they have no power; for a single lost peer of two, `paceline node fence --confirmed NODE` is enough. Then add --yes")
	}
	s.log.Warn("a quorum is forced", "user", q.who.user, "lost", others)
	if err := forcer.ForceQuorum(ctx); err != nil {
		return nil, err
	}
	return &ForceQuorumReply{Schema: Schema, Node: l.Node}, nil
}

// checkName refuses names that would not survive the places where they appear (configuration, host names, log lines).
func checkName(kind, name string) error {
	for i, c := range name {
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || i > 0 && (c == '-' || c == '_' || c == '.')
		if !ok {
			return Errorf(CodeUsage, "", "%q cannot be the name of a %s: %q is not allowed there", name, kind, string(c)).
				WithHint("use letters, digits, '-', '_' and '.', beginning with a letter or digit")
		}
	}
	if len(name) > 63 {
		return Errorf(CodeUsage, "", "%q cannot be the name of a %s: it is longer than 63 characters", name, kind)
	}
	return nil
}
