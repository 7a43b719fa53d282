package peer

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// accepted are the authorities of the keys that are accepted, the current one first, and this node's certificates of each. While keys
// are rotated each end says which authority it knows, and the other shows a certificate of that one, if it has it: so nodes that
// share one key understand each other, whichever is current on either.
type accepted struct {
	trusted []*authority
	issuers []*issuer // of the same order
	pool    *x509.CertPool
}

// SetKeys replaces the cluster keys that are accepted, the current one first. Connections that there are go on.
func (p *Peer) SetKeys(keys []Key) error {
	if len(keys) == 0 {
		return errors.New("peer: no cluster key")
	}
	before := p.keys.Load()
	next := &accepted{pool: x509.NewCertPool()}
	for _, k := range keys {
		a, err := newAuthority(k)
		if err != nil {
			return fmt.Errorf("peer: %w", err)
		}
		by := &issuer{by: a, id: p.config.Identity}
		if before != nil { // its certificate may be in use
			for i, had := range before.trusted {
				if had.fingerprint == a.fingerprint {
					a, by = had, before.issuers[i]
				}
			}
		}
		next.trusted, next.issuers = append(next.trusted, a), append(next.issuers, by)
		next.pool.AddCert(a.cert)
	}
	p.keys.Store(next)
	return nil
}

// authoritySuffix makes the server name of TLS, by which a caller says whose certificates it knows, look like one.
const authoritySuffix = ".cluster.paceline"

func authorityName(f Fingerprint) string { return f.String() + authoritySuffix }

// forName returns the issuer of the authority that a caller names; the current one where it names none, or another.
func (a *accepted) forName(name string) *issuer {
	want, ok := strings.CutSuffix(name, authoritySuffix)
	for i, t := range a.trusted {
		if ok && t.fingerprint.String() == want {
			return a.issuers[i]
		}
	}
	return a.issuers[0]
}

// forAuthorities returns the issuer of the first authority in a server's list; the current one where there is none.
func (a *accepted) forAuthorities(subjects [][]byte) *issuer {
	for i, t := range a.trusted {
		for _, s := range subjects {
			if bytes.Equal(s, t.cert.RawSubject) {
				return a.issuers[i]
			}
		}
	}
	return a.issuers[0]
}
