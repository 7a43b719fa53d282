package peer

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"sync"
	"time"
)

// Identity names one end of a connection, as its certificate does.
type Identity struct {
	Cluster string // name of the cluster; empty in one's own Config: not checked
	Node    string // name of the node
	ID      string // ID of the node
}

// uriScheme starts the subject alternative name that carries the identity: "paceline:node?cluster=c&id=i".
const uriScheme = "paceline"

func (id Identity) uri() *url.URL {
	q := url.Values{"cluster": {id.Cluster}, "id": {id.ID}}
	return &url.URL{Scheme: uriScheme, Opaque: "node", RawQuery: q.Encode()}
}

// identityOf reads the identity of a certificate whose chain was verified.
func identityOf(leaf *x509.Certificate) (Identity, error) {
	for _, u := range leaf.URIs {
		if u.Scheme != uriScheme || u.Opaque != "node" {
			continue
		}
		q := u.Query()
		id := Identity{Cluster: q.Get("cluster"), Node: leaf.Subject.CommonName, ID: q.Get("id")}
		if id.Node == "" || id.ID == "" {
			break
		}
		return id, nil
	}
	return Identity{}, errors.New("the certificate names no node")
}

// authority is what one cluster key stands for.
type authority struct {
	cert        *x509.Certificate
	private     ed25519.PrivateKey
	fingerprint Fingerprint
}

// Validity of the authority. It ends with the key, not by time; and a node whose clock is wrong by decades still makes
// the same certificate.
var (
	authorityFrom  = time.Unix(0, 0).UTC()
	authorityUntil = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) // "no end" of RFC 5280, 4.1.2.5
)

// newAuthority makes the certificate authority of a key. It is the same, byte by byte, whoever makes it: Ed25519
// signatures are deterministic.
func newAuthority(k Key) (*authority, error) {
	private := k.authority()
	fp := k.CAFingerprint()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{Organization: []string{"paceline"}, CommonName: "cluster " + fp.String()},
		NotBefore:             authorityFrom,
		NotAfter:              authorityUntil,
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
		SubjectKeyId:          fp[:20],
	}
	der, err := x509.CreateCertificate(nil, template, template, private.Public(), private)
	if err != nil {
		return nil, fmt.Errorf("make the cluster's certificate authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make the cluster's certificate authority: %w", err)
	}
	return &authority{cert: cert, private: private, fingerprint: fp}, nil
}

// issue makes a certificate with a key pair of its own. It is good from long before now, so that peers whose clocks
// are behind accept it.
func (a *authority) issue(id Identity, now time.Time) (*tls.Certificate, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("issue certificate of %s: %w", id.Node, err)
	}
	serial := make([]byte, 16)
	rand.Read(serial)
	serial[0] &= 0x7f // positive, at most 20 octets (RFC 5280, 4.1.2.2)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: id.Node},
		NotBefore:    authorityFrom,
		NotAfter:     now.Add(certificateLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs:         []*url.URL{id.uri()},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.private)
	if err != nil {
		return nil, fmt.Errorf("issue certificate of %s: %w", id.Node, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("issue certificate of %s: %w", id.Node, err)
	}
	// The authority goes along, so that a joining node can recognise it by the fingerprint in its token.
	return &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: private, Leaf: leaf}, nil
}

// issuer keeps a node's current certificate and renews it when it is asked for one that has grown old, so that nothing
// needs a timer.
type issuer struct {
	by *authority
	id Identity

	mu      sync.Mutex
	current *tls.Certificate
}

func (i *issuer) certificate(now time.Time) (*tls.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if c := i.current; c != nil {
		left := c.Leaf.NotAfter.Sub(now)
		// A clock that was set back leaves more life than a certificate ever has: that one is reissued as well, or
		// it would be too long-lived.
		if left > certificateRenew && left <= certificateLife {
			return c, nil
		}
	}
	c, err := i.by.issue(i.id, now)
	if err != nil {
		return nil, err
	}
	i.current = c
	return c, nil
}

// ErrOtherKey is in the error of Dial to a node that has another cluster key.
var ErrOtherKey = errors.New("its certificate is of another cluster key")

// verify checks a peer's chain against the accepted authorities (one, or two while a key is being rotated) and returns
// whose it is. Errors are sentence parts for people.
func verify(chain []*x509.Certificate, accepted []*authority, cluster string, usage x509.ExtKeyUsage, now time.Time) (Identity, error) {
	if len(chain) == 0 {
		return Identity{}, errors.New("it showed no certificate")
	}
	leaf := chain[0]
	if now.After(leaf.NotAfter) {
		return Identity{}, fmt.Errorf("the certificate of %s ended on %s and it is %s here: compare the clocks of the two nodes",
			leaf.Subject.CommonName, leaf.NotAfter.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	roots := x509.NewCertPool()
	for _, a := range accepted {
		roots.AddCert(a.cert)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}})
	if _, foreign := errors.AsType[x509.UnknownAuthorityError](err); foreign {
		return Identity{}, fmt.Errorf("%w: its authority is %q, ours is %q", ErrOtherKey, leaf.Issuer.CommonName, accepted[0].cert.Subject.CommonName)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("its certificate is not good: %w", err)
	}
	id, err := identityOf(leaf)
	if err != nil {
		return Identity{}, err
	}
	if cluster != "" && id.Cluster != cluster {
		return id, fmt.Errorf("node %s belongs to cluster %q, this is cluster %q (both have the same key)", id.Node, id.Cluster, cluster)
	}
	return id, nil
}

// fingerprintOf returns the fingerprint of a certificate's public key.
func fingerprintOf(c *x509.Certificate) Fingerprint { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }
