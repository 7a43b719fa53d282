package ctl

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"paceline/agent/api"
)

// peerPort is where members listen if nobody said otherwise.
const peerPort = "7947"

// tokenFileMax bounds what is read of a token's file.
const tokenFileMax = 16 << 10

// remote returns a client of a cluster elsewhere, if the environment names one; else nil.
func (s Streams) remote() *api.Client {
	host, text, file := s.Getenv("PACELINE_HOST"), s.Getenv("PACELINE_TOKEN"), s.Getenv("PACELINE_TOKEN_FILE")
	if host == "" && text == "" && file == "" {
		return nil
	}
	if text == "" {
		var err error
		if text, err = s.tokenFile(file); err != nil {
			return api.NewFailingClient(err)
		}
	}
	if _, _, err := net.SplitHostPort(host); host != "" && err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), peerPort)
	}
	c, err := api.NewRemoteClient(text, host)
	if err != nil {
		return api.NewFailingClient(err)
	}
	return c
}

// tokenFile reads the token of a person; nobody else may read it.
func (s Streams) tokenFile(path string) (string, error) {
	if path == "" {
		dir := s.Getenv("XDG_CONFIG_HOME")
		if dir == "" {
			dir = filepath.Join(s.Getenv("HOME"), ".config")
		}
		path = filepath.Join(dir, "paceline", "token")
	}
	what := "read the access token in " + path
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", api.Errorf(api.CodeUsage, what, "there is no such file").
			WithHint("`paceline access token create`, on a member, prints a token; put it there, or into the environment as PACELINE_TOKEN")
	}
	if err != nil {
		return "", api.Errorf(api.CodeUsage, what, "%v", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return "", api.Errorf(api.CodeRefused, what, "its mode is %04o: others on this machine may read it", info.Mode().Perm()).
			WithHint("chmod 600 %s; if somebody did read it, revoke it: paceline access token revoke", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, tokenFileMax))
	if err != nil {
		return "", api.Errorf(api.CodeUsage, what, "%v", err)
	}
	return string(b), nil
}

func runAccessToken(in *invocation) error {
	action, id := in.arg(0), in.arg(1)
	switch {
	case action != "create" && action != "list" && action != "revoke":
		return usagef("paceline access token: there is no action %q: create, list and revoke are", action)
	case action == "revoke" && id == "":
		return usagef("paceline access token revoke: the ID of a token is missing (`paceline access token list` shows them)")
	case action != "revoke" && id != "":
		return usagef("paceline access token %s takes no ID", action)
	}
	switch action {
	case "create":
		return in.createAccess()
	case "list":
		r, err := in.api.AccessTokens(in.ctx)
		if err != nil || in.json() {
			return in.orJSON(r, err)
		}
		if len(r.Tokens) == 0 {
			in.printf("there are no access tokens\n")
		}
		for _, t := range r.Tokens {
			in.printf("%s\n", tokenLine(t))
		}
		return nil
	}
	r, err := in.api.RevokeAccess(in.ctx, id)
	if err != nil || in.json() {
		return in.orJSON(r, err)
	}
	in.printf("access token %s of %s is good for nothing any more\n", r.Tokens[0].ID, r.Tokens[0].User)
	return nil
}

func (in *invocation) orJSON(v any, err error) error {
	if err != nil {
		return err
	}
	return in.writeJSON(v)
}

func (in *invocation) createAccess() error {
	r := api.AccessRequest{User: in.c.String("user"), Scope: in.c.String("scope"), TTL: api.Duration(in.c.Duration("expires"))}
	for role := range strings.SplitSeq(in.c.String("role"), ",") {
		if role = strings.TrimSpace(role); role != "" {
			r.Roles = append(r.Roles, role)
		}
	}
	reply, err := in.api.CreateAccess(in.ctx, r)
	if err != nil || in.json() {
		return in.orJSON(reply, err)
	}
	in.printf("%s\n", reply.Text)
	fmt.Fprintf(in.Err, "note: %s. It is not shown again\n", tokenLine(reply.Token))
	return nil
}

// tokenLine describes a token for people.
func tokenLine(t api.AccessToken) string {
	may := "may " + t.Scope + " everything"
	if t.Scope == "" {
		may = "has role " + strings.Join(t.Roles, ", ")
	}
	until := "until "
	if t.Expired {
		until = "EXPIRED on "
	}
	line := fmt.Sprintf("%s: %s %s, %s%s", t.ID, t.User, may, until, t.Expires.Local().Format(time.DateTime))
	if t.By != "" {
		line += ", made by " + t.By
	}
	return line
}
