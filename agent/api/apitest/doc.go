// Package apitest is a cluster in memory behind the API's Backend: enough of one that requests have effects. Committed
// changes get revisions and a history; a simple planner places resources, and what it wants happens at once unless the
// test holds it back. It is for tests of the API and of what speaks to it.
package apitest
