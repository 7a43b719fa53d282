package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"paceline/agent/access"
)

// identity is who asks.
type identity struct {
	caller
	user      string // for people: "alice@node2"
	allowed   bool
	refusal   string // why not allowed
	forwarded string // name of the node that forwarded the request; empty for the socket
}

type identityKey struct{}

func identityOf(ctx context.Context) identity {
	id, _ := ctx.Value(identityKey{}).(identity)
	return id
}

func withIdentity(ctx context.Context, id identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// Headers between nodes. They count only on connections whose certificate the cluster's key has signed.
const (
	headerUser      = "Paceline-User"
	headerForwarded = "Paceline-Forwarded"
	headerCaller    = "Paceline-Caller"
)

// ListenUnix makes the socket of a daemon: mode 0660, of the group that may use it, replacing one that a dead daemon left.
// It refuses if a living daemon answers there.
func (s *Server) ListenUnix(path string) (net.Listener, error) {
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, fmt.Errorf("listen on %s: another daemon answers there", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, err
	}
	if g, err := user.LookupGroup(s.group); err == nil {
		if gid, err := strconv.Atoi(g.Gid); err == nil {
			if err := os.Chown(path, -1, gid); err != nil {
				s.log.Warn("the socket stays root's alone", "group", s.group, "cause", err)
			}
		}
	}
	return l, nil
}

// ServeUnix answers requests on the socket until ctx ends, then waits briefly for those under way. It returns nil then.
func (s *Server) ServeUnix(ctx context.Context, l net.Listener) error {
	srv := s.httpServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := identityOf(r.Context()); !id.allowed {
			writeError(w, Errorf(CodeForbidden, "use the cluster", "%s", id.refusal).
				WithHint("run the command as root, or ask for membership of group %s", s.group))
			return
		}
		s.mux.ServeHTTP(w, r)
	}))
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return withIdentity(ctx, s.peerOf(c))
	}
	return serveUntil(ctx, srv, l)
}

// ServePeers answers requests of other nodes on connections whose far end has proved to be a node of this cluster.
func (s *Server) ServePeers(ctx context.Context, l net.Listener) error {
	return serveUntil(ctx, s.httpServer(s.PeerHandler()), l)
}

// PeerHandler answers requests of other nodes. The caller guarantees that only nodes of this cluster reach it.
func (s *Server) PeerHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := r.Header.Get(headerForwarded)
		who := r.Header.Get(headerUser)
		if from == "" || who == "" {
			writeError(w, Errorf(CodeForbidden, "use the cluster", "the request does not say for whom it is made"))
			return
		}
		id := identity{user: who, allowed: true, forwarded: from}
		if text := r.Header.Get(headerCaller); text == "" {
			// A node of an earlier version: it says who asks, and nothing else.
			id.caller.Name, _, _ = strings.Cut(who, "@")
			id.caller.Super = id.caller.Name == "root"
		} else if err := json.Unmarshal([]byte(text), &id.caller); err != nil {
			writeError(w, Errorf(CodeForbidden, "use the cluster", "the request does not say for whom it is made: %v", err))
			return
		}
		s.mux.ServeHTTP(w, r.WithContext(withIdentity(r.Context(), id)))
	})
}

func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       RequestMax, // of the request itself, not of its answer
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

func serveUntil(ctx context.Context, srv *http.Server, l net.Listener) error {
	done := make(chan error, 1)
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv.BaseContext = func(net.Listener) context.Context { return base }
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	// Streams and waits end with the base context; short requests may finish their reply.
	cancel()
	grace, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	if srv.Shutdown(grace) != nil {
		srv.Close()
	}
	<-done
	return nil
}

// peerOf asks the kernel who is at the other end of a connection to the socket.
func (s *Server) peerOf(c net.Conn) identity {
	uc, ok := c.(*net.UnixConn)
	if !ok {
		return identity{refusal: "the connection has no peer credentials"}
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return identity{refusal: err.Error()}
	}
	var cred *unix.Ucred
	var cerr error
	if err := raw.Control(func(fd uintptr) {
		cred, cerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil || cerr != nil {
		return identity{refusal: fmt.Sprintf("ask the kernel for the peer: %v", errors.Join(err, cerr))}
	}
	name := "uid " + strconv.Itoa(int(cred.Uid))
	u, err := user.LookupId(strconv.Itoa(int(cred.Uid)))
	if err == nil {
		name = u.Username
	}
	id := identity{user: name, caller: caller{User: access.User{Name: name}, UID: int(cred.Uid), PID: int(cred.Pid)}}
	if node := s.node(context.Background()); node != "" {
		id.user += "@" + node // where the command was typed
	}
	// The daemon's own user is as good as root: it could do by itself whatever it is asked for.
	id.caller.Super = cred.Uid == 0 || int(cred.Uid) == os.Getuid()
	id.caller.Groups = groupsOf(cred, u)
	if id.caller.Super || slices.Contains(id.caller.Groups, s.group) {
		id.allowed = true
		return id
	}
	id.refusal = fmt.Sprintf("user %s is neither root nor in group %s", name, s.group)
	return id
}

// groupsOf lists the names of the groups of who is at the other end: the one of the process, and those of the user.
func groupsOf(cred *unix.Ucred, u *user.User) []string {
	gids := []string{strconv.Itoa(int(cred.Gid))}
	if u != nil {
		if more, err := u.GroupIds(); err == nil {
			gids = append(gids, more...)
		}
	}
	var out []string
	for _, gid := range gids {
		if g, err := user.LookupGroupId(gid); err == nil && !slices.Contains(out, g.Name) {
			out = append(out, g.Name)
		}
	}
	return out
}
