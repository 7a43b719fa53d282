package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Config of a Server. Backend is needed; the others have defaults.
type Config struct {
	Backend Backend
	Logger  *slog.Logger
	// Group is the group whose members may use the socket beside root; default "haclient".
	Group string
	// Plan previews what the cluster would do; default is PlanBySchedule.
	Plan Planner
}

// Server answers the API for one daemon.
type Server struct {
	backend  Backend
	log      *slog.Logger
	group    string
	plan     Planner
	mux      *http.ServeMux
	last     lastPlan
	refusals allowance
}

// NewServer returns a server; ServeUnix and PeerHandler expose it.
func NewServer(c Config) *Server {
	s := &Server{backend: c.Backend, log: c.Logger, group: c.Group, plan: c.Plan, mux: http.NewServeMux()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.group == "" {
		s.group = "haclient"
	}
	if s.plan == nil {
		s.plan = PlanBySchedule
	}
	s.plan = caught(s.plan, s.log)
	for _, e := range endpoints {
		s.mux.Handle(e.method+" "+e.path, s.serve(e))
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, Errorf(CodeNotFound, r.Method+" "+r.URL.Path, "there is no such endpoint in version %d of the API", Schema))
	})
	return s
}

// endpoint is one row of the API's table.
type endpoint struct {
	method, path string
	where        where
	limit        time.Duration // of one request; the wait that it asks for is added
	what         func(q *request) string
	answer       func(s *Server, ctx context.Context, q *request) (any, error)
	stream       bool // answer writes to q.w itself
	right        right
	quiet        bool // too frequent for the log of what was done
	// elseHere says whether the node that was asked answers a request for which there is no coordinator.
	elseHere func(q *request) bool
}

// where says which node answers.
type where int

const (
	atCoordinator where = iota
	here                // the node that was asked
	hereIfOwn           // the node that was asked if the request is about itself, else the coordinator
)

// request is one request on its way through the server.
type request struct {
	*http.Request
	w    http.ResponseWriter
	body []byte
	who  identity
	what string
	// may is what the user may do; nil until the node that answers has found out.
	may     *reader
	objects []string // what it changes, for the audit
	// passed names the coordinator that answered instead, whose log has the audit; answered is its HTTP status.
	passed   string
	answered int
}

// decode reads the body into v. An empty body is an empty request.
func (q *request) decode(v any) error {
	if len(bytes.TrimSpace(q.body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(q.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return Errorf(CodeUsage, q.what, "the request is not what this version understands: %v", err)
	}
	return nil
}

// serve wraps an endpoint with what all share: a deadline, a bounded body, routing and errors.
func (s *Server) serve(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := &request{Request: r, w: w, who: identityOf(r.Context())}
		q.what = e.what(q)
		started := time.Now()
		err := s.run(r.Context(), e, q)
		if err != nil {
			far := "" // a person is told where an error arose if that is not the node asked
			if q.who.forwarded != "" {
				far = s.node(r.Context())
			}
			er := asError(err, q.what, far)
			writeError(w, q.may.shown(q, er))
			s.audit(r.Context(), e, q, time.Since(started), er)
			return
		}
		s.audit(r.Context(), e, q, time.Since(started), nil)
	})
}

func (s *Server) run(ctx context.Context, e endpoint, q *request) error {
	body, err := io.ReadAll(http.MaxBytesReader(q.w, q.Body, BodyMax))
	if err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return Errorf(CodeUsage, q.what, "the request is larger than %d MiB", BodyMax>>20)
		}
		return Errorf(CodeUsage, q.what, "read the request: %v", err)
	}
	q.body = body
	if !e.stream {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.limit+q.wait())
		defer cancel()
	}
	if e.where == here || e.where == hereIfOwn && s.own(ctx, q) {
		return s.reply(ctx, e, q)
	}
	err = s.atCoordinator(ctx, e, q)
	if err != nil && e.elseHere != nil && asError(err, "", "").Code == CodeNoCoordinator && e.elseHere(q) {
		return s.reply(ctx, e, q)
	}
	return err
}

// own says whether a request names no node, or this one.
func (s *Server) own(ctx context.Context, q *request) bool {
	var named struct {
		Node string `json:"node"`
	}
	if json.Unmarshal(q.body, &named) != nil || named.Node == "" {
		return true
	}
	return named.Node == s.node(ctx)
}

// wait returns how long a request asks to wait, within bounds.
func (q *request) wait() time.Duration {
	var asked struct {
		Wait Duration `json:"wait"`
	}
	d := time.Duration(0)
	if len(q.body) > 0 && json.Unmarshal(q.body, &asked) == nil {
		d = time.Duration(asked.Wait)
	}
	if v, err := time.ParseDuration(q.URL.Query().Get("wait")); err == nil {
		d = v
	}
	return min(max(d, 0), WaitMax)
}

// reply answers a request on this node.
func (s *Server) reply(ctx context.Context, e endpoint, q *request) error {
	var err error
	if q.may, err = s.reader(ctx, q); err != nil {
		return err
	}
	if err := s.permit(q.may, e, q); err != nil {
		return err
	}
	v, err := e.answer(s, ctx, q)
	if err != nil || e.stream {
		return err
	}
	if e.right != rightOpen {
		if v, err = q.may.show(v); err != nil {
			return err
		}
	}
	if raw, ok := v.(rawReply); ok {
		q.w.Header().Set("Content-Type", raw.contentType)
		_, err := q.w.Write(raw.body)
		return ignoreGone(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write the reply: %w", err)
	}
	q.w.Header().Set("Content-Type", "application/json")
	_, err = q.w.Write(append(b, '\n'))
	return ignoreGone(err)
}

// rawReply is a reply that is not JSON.
type rawReply struct {
	contentType string
	body        []byte
}

// ignoreGone drops the error of a client that did not wait: nobody is left to tell.
func ignoreGone(error) error { return nil }

func writeError(w http.ResponseWriter, e *Error) {
	b, err := json.Marshal(struct {
		Schema int    `json:"schema"`
		Error  *Error `json:"error"`
	}{Schema, e})
	if err != nil {
		http.Error(w, e.Error(), e.Code.HTTPStatus())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Code.HTTPStatus())
	w.Write(append(b, '\n'))
}

// node returns this node's name for messages.
func (s *Server) node(ctx context.Context) string {
	l, err := s.backend.Live(ctx)
	if err != nil {
		return ""
	}
	return l.Node
}
