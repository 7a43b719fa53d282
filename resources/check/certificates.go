package check

import "crypto/tls"

// certificates says whose certificates are taken.
func certificates(any bool) *tls.Config {
	return &tls.Config{InsecureSkipVerify: any} //nolint:gosec // asked for by the parameter insecure
}
