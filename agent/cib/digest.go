package cib

import (
	"crypto/md5"
	"encoding/hex"
	"sort"
	"strings"
)

// ParametersDigest is the fingerprint of parameters that is kept with the result of an operation (OpRecord.OpDigest): MD5
// over a small XML element, as Pacemaker makes it.
func ParametersDigest(params map[string]string) string {
	names := make([]string, 0, len(params))
	for k := range params {
		names = append(names, k)
	}
	sort.Strings(names)
	var b strings.Builder
	b.WriteString(" <parameters")
	for _, k := range names {
		b.WriteString(" " + k + `="` + escapeDigested(params[k]) + `"`)
	}
	b.WriteString("/>\n")
	sum := md5.Sum([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}

// RestartDigest is the fingerprint of those parameters whose change needs a restart (OpRecord.RestartDigest); list names
// them, separated by spaces (OpRecord.ForceRestart).
func RestartDigest(params map[string]string, list string) string {
	out := map[string]string{}
	for _, name := range strings.Fields(list) {
		if v, ok := params[name]; ok {
			out[name] = v
		}
	}
	return ParametersDigest(out)
}

var xmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#10;", "\r", "&#13;",
	"\t", "&#9;")

func escapeDigested(s string) string {
	if !strings.ContainsAny(s, "&<>\"\n\r\t") {
		return s
	}
	return xmlEscapes.Replace(s)
}
