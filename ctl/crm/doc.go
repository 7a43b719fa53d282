// Package crm is the configuration language that administrators of clusters have in their fingers: a line for each object,
// from and to the typed configuration of package cib.
//
// Parse reads a text from nothing, Update reads it onto a configuration, and Print writes. What Print writes, Parse reads back
// to the same configuration, generated IDs of bookkeeping elements aside; an object that the language cannot say is written
// as an "xml" line instead. The lines between two commands (delete, rename, modgroup, set, erase) are one load: their order is
// free and they may refer to each other. A text is taken as a whole or not at all, and every error tells line and column,
// what was expected, and a near name. Comments are kept, with the object after them.
//
// The package is a core: no goroutine, clock, file or socket. It is tested by folders of good and bad texts, by properties over
// configurations, and by fuzzing.
package crm
