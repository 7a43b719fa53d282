package peer

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Token lets one node join: where to ask, how to recognise the cluster, and a secret that is good once.
type Token struct {
	Addresses     []string    // "host:port" of the peer port of members, to be tried in this order
	CAFingerprint Fingerprint // of the cluster's certificate authority
	Secret        [16]byte    // good once; the cluster keeps its SecretHash
	Expires       time.Time   // whole seconds
}

// NewToken makes a token with a fresh secret. Addresses are "host:port"; at least one.
func NewToken(addresses []string, key Key, expires time.Time) (Token, error) {
	t := Token{Addresses: slices.Clone(addresses), CAFingerprint: key.CAFingerprint(), Expires: expires.Truncate(time.Second)}
	rand.Read(t.Secret[:])
	if err := checkAddresses(addresses); err != nil {
		return Token{}, fmt.Errorf("make join token: %w", err)
	}
	return t, nil
}

// SecretHash is what the issuer keeps of the secret (hexadecimal), to recognise it once.
func (t Token) SecretHash() string { return HashSecret(t.SecretText()) }

// SecretText is the secret as JoinRequest carries it.
func (t Token) SecretText() string { return base64.RawURLEncoding.EncodeToString(t.Secret[:]) }

// HashSecret returns the SecretHash of the secret in a JoinRequest.
func HashSecret(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// String keeps the secret out of logs; Encode is the text to hand over.
func (t Token) String() string {
	return fmt.Sprintf("(join token of cluster %s, until %s)", t.CAFingerprint, t.Expires.Format(time.RFC3339))
}

// GoString keeps the secret out of logs.
func (t Token) GoString() string { return t.String() }

// A token's text is tokenPrefix and the base64url form of: fingerprint (32 bytes), secret (16), expiry (Unix seconds, 8,
// big endian), addresses separated by spaces, checksum (first 4 bytes of the SHA-256 of what is before it).
const (
	tokenPrefix   = "paceline1."
	tokenFixed    = sha256.Size + 16 + 8
	tokenChecksum = 4
)

// Encode returns the token's text, one word without white space.
func (t Token) Encode() string { return t.encode(tokenPrefix) }

// EncodeAccess returns the text of a token that lets somebody use the cluster from elsewhere, not join it.
func (t Token) EncodeAccess() string { return t.encode(accessPrefix) }

// accessPrefix begins the text of an access token, which is made like that of a join token.
const accessPrefix = "paceline-access1."

func (t Token) encode(prefix string) string {
	b := append([]byte{}, t.CAFingerprint[:]...)
	b = append(b, t.Secret[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.Expires.Unix()))
	b = append(b, strings.Join(t.Addresses, " ")...)
	sum := sha256.Sum256(b)
	return prefix + base64.RawURLEncoding.EncodeToString(append(b, sum[:tokenChecksum]...))
}

// ErrTokenDamaged is in the error of ParseToken for a text that was a token before it was mangled.
var ErrTokenDamaged = errors.New("token is damaged")

// ErrTokenExpired is in the error of Token.Check.
var ErrTokenExpired = errors.New("token has expired")

// ParseToken reads a token's text. White space is ignored wherever it stands, as terminals break long lines.
func ParseToken(text string) (Token, error) {
	return parseToken(text, tokenPrefix, "a join token", "`paceline cluster token` on a member prints one")
}

// ParseAccessToken reads the text of EncodeAccess, as ParseToken does that of Encode.
func ParseAccessToken(text string) (Token, error) {
	return parseToken(text, accessPrefix, "an access token", "`paceline access token create` on a member prints one")
}

func parseToken(text, prefix, what, hint string) (Token, error) {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
	rest, ok := strings.CutPrefix(text, prefix)
	switch {
	case text == "":
		return Token{}, errors.New("token is empty")
	case len(text) > tokenMax:
		return Token{}, fmt.Errorf("%w: %d characters are too many for one", ErrTokenDamaged, len(text))
	case !ok && prefix == tokenPrefix && strings.HasPrefix(text, accessPrefix), !ok && prefix == accessPrefix && strings.HasPrefix(text, tokenPrefix):
		return Token{}, fmt.Errorf("this is not %s: one starts with %q (%s)", what, prefix, hint)
	case !ok && strings.HasPrefix(prefix, text[:min(4, len(text))]):
		return Token{}, fmt.Errorf("%w: it should start with %q (copy it again, whole)", ErrTokenDamaged, prefix)
	case !ok:
		return Token{}, fmt.Errorf("this is not %s: one starts with %q (%s)", what, prefix, hint)
	}
	b, err := base64.RawURLEncoding.DecodeString(rest)
	if err != nil {
		if i, bad := errors.AsType[base64.CorruptInputError](err); bad && int(i) < len(rest) {
			return Token{}, fmt.Errorf("%w: character %d (%q) does not belong in it (copy it again, whole)",
				ErrTokenDamaged, int(i)+len(prefix)+1, rest[i])
		}
		return Token{}, fmt.Errorf("%w: its end is missing (copy it again, whole)", ErrTokenDamaged)
	}
	if len(b) < tokenFixed+tokenChecksum {
		return Token{}, fmt.Errorf("%w: it is too short (copy it again, whole)", ErrTokenDamaged)
	}
	body, want := b[:len(b)-tokenChecksum], b[len(b)-tokenChecksum:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:tokenChecksum], want) {
		return Token{}, fmt.Errorf("%w: its checksum does not fit, a part is missing or was changed (copy it again, whole)", ErrTokenDamaged)
	}
	var t Token
	copy(t.CAFingerprint[:], body)
	copy(t.Secret[:], body[sha256.Size:])
	t.Expires = time.Unix(int64(binary.BigEndian.Uint64(body[sha256.Size+16:])), 0).UTC()
	t.Addresses = strings.Fields(string(body[tokenFixed:]))
	if err := checkAddresses(t.Addresses); err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrTokenDamaged, err)
	}
	return t, nil
}

// Check says whether the token may still be good at a time. The issuer's clock decides; this only saves the way there.
func (t Token) Check(now time.Time) error {
	if now.After(t.Expires) {
		return fmt.Errorf("%w: it was good until %s, %s ago (`paceline cluster token` on a member prints a new one)",
			ErrTokenExpired, t.Expires.Format(time.RFC3339), now.Sub(t.Expires).Round(time.Second))
	}
	return nil
}

func checkAddresses(list []string) error {
	if len(list) == 0 {
		return errors.New("it names no address of a member")
	}
	for _, a := range list {
		host, port, err := net.SplitHostPort(a)
		if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n == 0 || host == "" || strings.ContainsAny(a, " \t\n") {
			return fmt.Errorf("%q is not an address of the form host:port", a)
		}
	}
	return nil
}
