package resources

import "embed"

// Source is the source of this package, of the frame of native agents and of the kit for authors, by path below this folder: what
// an agent in Go is built from, wherever its author sits. Tests are among it.
//
//go:embed *.go native/*.go plugin/*.go
var Source embed.FS
