package peer

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// JoinPath is where a member takes join requests, over ALPNJoin, by POST.
const JoinPath = "/v1/join"

// JoinRequest is what a node says that wants to become a member.
type JoinRequest struct {
	Secret     string   `json:"secret"` // Token.SecretText
	Name       string   `json:"name"`
	ID         string   `json:"id"`
	Address    string   `json:"address"`         // IP address or host name, for gossip and peer port
	Links      []string `json:"links,omitempty"` // further IP addresses
	GossipPort int      `json:"gossip_port"`
	PeerPort   int      `json:"peer_port"`
	Role       string   `json:"role,omitempty"`
	Version    string   `json:"version,omitempty"`
}

// JoinReply is what the new member needs. It carries the cluster key: it is never logged.
type JoinReply struct {
	Cluster string   `json:"cluster"`
	Key     string   `json:"key"` // Key.Hex
	Profile string   `json:"profile"`
	Gossip  []string `json:"gossip"` // "address:port" of the members' gossip
	Node    string   `json:"node"`   // who answered
}

// JoinRefused is the error of a member that was asked and said no; asking another would not help.
type JoinRefused struct {
	Status int             // HTTP status
	Body   json.RawMessage // what the member said; JSON as a rule
	Text   string          // the same for people
}

// Error returns what the member said.
func (e *JoinRefused) Error() string { return e.Text }

// Join asks the members named in the token, one after the other, to take this node in. dial opens a stream to an
// address; nil means TCP. It ends with ctx, and without a deadline after JoinTimeout. A *JoinRefused in the error is a
// member's own no.
func Join(ctx context.Context, t Token, req JoinRequest, dial func(ctx context.Context, address string) (net.Conn, error)) (JoinReply, error) {
	if err := t.Check(time.Now()); err != nil {
		return JoinReply{}, err
	}
	if dial == nil {
		dial = func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, JoinTimeout)
	defer cancel()
	req.Secret = t.SecretText()
	body, err := json.Marshal(req)
	if err != nil {
		return JoinReply{}, fmt.Errorf("join: %w", err)
	}
	var failed []error
	for _, address := range t.Addresses {
		reply, err := joinAt(ctx, t, address, body, dial)
		if err == nil {
			return reply, nil
		}
		if _, no := errors.AsType[*JoinRefused](err); no {
			return JoinReply{}, fmt.Errorf("join at %s: %w", address, err)
		}
		failed = append(failed, fmt.Errorf("%s: %w", address, err))
		if ctx.Err() != nil {
			break
		}
	}
	return JoinReply{}, fmt.Errorf("join: no member could be asked: %w", errors.Join(failed...))
}

// joinAt asks one member.
func joinAt(ctx context.Context, t Token, address string, body []byte, dial func(context.Context, string) (net.Conn, error)) (JoinReply, error) {
	ctx, cancel := context.WithTimeout(ctx, joinAddressMax)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return dialStranger(ctx, ALPNJoin, t.CAFingerprint, address, dial)
		},
	}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+JoinPath, bytes.NewReader(body))
	if err != nil {
		return JoinReply{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		if cause := errors.Unwrap(err); cause != nil {
			err = cause // without the method and the URL
		}
		return JoinReply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, joinReplyMax))
	if err != nil {
		return JoinReply{}, fmt.Errorf("read the reply: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		said := &JoinRefused{Status: resp.StatusCode, Text: refusalText(resp.Status, text)}
		if json.Valid(text) {
			said.Body = text
		}
		if resp.StatusCode >= 500 { // it cannot now; another member may
			return JoinReply{}, errors.New(said.Text)
		}
		return JoinReply{}, said
	}
	var reply JoinReply
	if err := json.Unmarshal(text, &reply); err != nil {
		return JoinReply{}, fmt.Errorf("read the reply: %w", err)
	}
	key, err := ParseKey(reply.Key)
	if err != nil {
		return JoinReply{}, fmt.Errorf("read the reply: %w", err)
	}
	if key.CAFingerprint() != t.CAFingerprint {
		return JoinReply{}, errors.New("read the reply: the key is not that of the cluster that made the token")
	}
	return reply, nil
}

// refusalText finds the sentence in a member's error reply.
func refusalText(status string, body []byte) string {
	var e struct {
		Why  string `json:"why"`
		Hint string `json:"hint"`
	}
	switch {
	case json.Unmarshal(body, &e) == nil && e.Why != "" && e.Hint != "":
		return e.Why + " (" + e.Hint + ")"
	case e.Why != "":
		return e.Why
	}
	return "the member answered " + status
}

// DialAccess opens a stream to a member for the API, and recognises its cluster by the fingerprint in an access token: before
// anything is sent, so that nobody else hears the token's secret. It takes at most DialMax.
func DialAccess(ctx context.Context, want Fingerprint, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, DialMax)
	defer cancel()
	return dialStranger(ctx, ALPNAccess, want, address, func(ctx context.Context, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	})
}

// dialStranger opens a stream to a member without a certificate of one's own.
func dialStranger(ctx context.Context, alpn string, want Fingerprint, address string, dial func(context.Context, string) (net.Conn, error)) (net.Conn, error) {
	raw, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	t := tls.Client(raw, &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{alpn},
		ServerName:             authorityName(want),
		InsecureSkipVerify:     true, // VerifyConnection recognises the cluster by the fingerprint
		SessionTicketsDisabled: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			return verifyFingerprint(s.PeerCertificates, want, time.Now())
		},
	})
	if err := t.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, handshakeError(err)
	}
	return t, nil
}

// verifyFingerprint checks that a chain leads to the authority with the fingerprint.
func verifyFingerprint(chain []*x509.Certificate, want Fingerprint, now time.Time) error {
	for _, c := range chain {
		if c.IsCA && fingerprintOf(c) == want {
			_, err := verify(chain, []*authority{{cert: c, fingerprint: want}}, "", x509.ExtKeyUsageServerAuth, now)
			return err
		}
	}
	have := "no authority"
	if len(chain) > 1 {
		have = fingerprintOf(chain[1]).String()
	}
	return fmt.Errorf("what answers there is not of the cluster that made the token: its authority is %s, the token's is %s", have, want)
}
