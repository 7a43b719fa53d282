// Package packaging holds what is installed beside the binaries: the systemd unit, the group, the manual pages, and the
// script that makes a Debian package of them (make deb). The unit is a Go value too, so that the lab's nodes run the
// daemon under the very unit that is shipped, and stories test it.
package packaging

import _ "embed"

// Unit is the text of pacelined.service.
//
//go:embed pacelined.service
var Unit string
