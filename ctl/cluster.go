package ctl

import (
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"paceline/agent/api"
)

func runInit(in *invocation) error {
	r, err := in.api.Init(in.ctx, api.InitRequest{
		Cluster: in.c.String("name"), Node: in.c.String("node"), Address: in.c.String("address"), Links: in.c.StringSlice("link"),
		Profile: in.c.String("profile"), GossipPort: in.c.Int("gossip-port"), PeerPort: in.c.Int("peer-port"),
		Watchdog: in.c.String("watchdog"), WatchdogTimeout: in.c.Int("watchdog-timeout"), SBD: in.c.StringSlice("sbd"),
	})
	if err != nil {
		return err
	}
	if in.json() {
		return in.writeJSON(r)
	}
	in.printf("cluster %s is made; this node is %s at %s\n\n", r.Cluster, r.Node, r.Address)
	in.printf("On the next node:\n\n  paceline cluster join %s\n\n", r.Token)
	in.printf("The token is a secret, lets one node in, and is good until %s.\nFor every further node: paceline cluster token\n", moment(r.Expires))
	in.proposeFencing(r.Fencing)
	return nil
}

// token returns the token that was given, or read from standard input for "-".
func (in *invocation) token() (string, error) {
	if token := in.arg(0); token != "-" {
		return token, nil
	}
	b, err := io.ReadAll(io.LimitReader(in.In, 64<<10))
	return strings.TrimSpace(string(b)), err
}

func runRotateKey(in *invocation) error {
	r, err := in.api.RotateKey(in.ctx, api.KeyRotateRequest{WithoutAbsent: in.c.Bool("without-absent")})
	if err != nil {
		return err
	}
	if in.json() {
		return in.writeJSON(r)
	}
	in.printf("the cluster's key is %s now, on %s\n", r.Key, strings.Join(r.Nodes, ", "))
	switch absent := strings.Join(r.Absent, ", "); {
	case r.Waiting:
		in.printf("The old key is accepted still, as there is no %s. When it is back, it fetches the new key; then: paceline cluster rotate-key\n", absent)
	case absent != "":
		in.printf("There was no %s: to come back it needs `paceline cluster renew-key` with a new token.\n", absent)
	}
	return nil
}

func runRenewKey(in *invocation) error {
	token, err := in.token()
	if err != nil {
		return err
	}
	r, err := in.api.RenewKey(in.ctx, api.KeyRenewRequest{Token: token})
	if err != nil {
		return err
	}
	if in.json() {
		return in.writeJSON(r)
	}
	in.printf("this node has the cluster's key %s now\n", r.Key)
	return nil
}

func runJoin(in *invocation) error {
	token, err := in.token()
	if err != nil {
		return err
	}
	r, err := in.api.Join(in.ctx, api.JoinRequest{
		Token: token, Node: in.c.String("node"), Address: in.c.String("address"), Links: in.c.StringSlice("link"), Witness: in.c.Bool("witness"),
		GossipPort: in.c.Int("gossip-port"), PeerPort: in.c.Int("peer-port"),
		Watchdog: in.c.String("watchdog"), WatchdogTimeout: in.c.Int("watchdog-timeout"), SBD: in.c.StringSlice("sbd"),
	})
	if err != nil {
		return err
	}
	if in.json() {
		return in.writeJSON(r)
	}
	in.printf("%s at %s is a %s of cluster %s\n", r.Node, r.Address, r.Role, r.Cluster)
	return nil
}

func runToken(in *invocation) error {
	r, err := in.api.Token(in.ctx, api.TokenRequest{TTL: api.Duration(in.c.Duration("expires"))})
	if err != nil {
		return err
	}
	if in.json() {
		return in.writeJSON(r)
	}
	// The token alone, so that it can be piped into a join.
	in.printf("%s\n", r.Token)
	return nil
}

func runLeave(in *invocation) error { return in.leaveCluster("has left the cluster") }

func runForceQuorum(in *invocation) error {
	return in.confirmed(func(yes bool) error {
		r, err := in.api.ForceQuorum(in.ctx, api.ForceQuorumRequest{Yes: yes})
		if err != nil {
			return err
		}
		if in.json() {
			return in.writeJSON(r)
		}
		in.printf("%s is the only voter now; others join again with a new token\n", r.Node)
		return nil
	})
}

func runClusterStatus(in *invocation) error {
	st, err := in.api.Status(in.ctx)
	if err != nil {
		return err
	}
	if in.json() {
		return in.writeJSON(st)
	}
	in.printf("Cluster %s: %s\n\n", st.Cluster, quorumText(st))
	w := tabwriter.NewWriter(in.Out, 0, 8, 2, ' ', 0)
	io.WriteString(w, "NODE\tROLE\tSTATE\tSESSION\tADDRESS\tVERSION\tSINCE\n")
	for _, n := range st.Nodes {
		role, session := n.Role, "no"
		if n.Coordinator {
			role += ", coordinator"
		}
		if n.Session {
			session = "yes"
		}
		row := []string{n.Name, role, stateText(n), session, orDash(n.Address), orDash(n.Version), moment(n.Since)}
		io.WriteString(w, strings.Join(row, "\t")+"\n")
	}
	return w.Flush()
}

// moment writes a time as people of this place do.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
