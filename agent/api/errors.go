package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// Code says what kind of error it is; programs decide on it.
type Code string

// The codes, with their HTTP status.
const (
	CodeUsage         Code = "usage"          // 400: the request makes no sense
	CodeForbidden     Code = "forbidden"      // 403
	CodeNotFound      Code = "not-found"      // 404: no such node, resource, revision
	CodeConflict      Code = "conflict"       // 409: the configuration has moved on
	CodeRefused       Code = "refused"        // 409: the state does not allow it
	CodeConfirm       Code = "confirm"        // 409: allowed if the request says yes
	CodeInvalid       Code = "invalid"        // 422: the configuration has errors, listed in Problems
	CodeFailed        Code = "failed"         // 500: tried and failed
	CodeUnconfigured  Code = "unconfigured"   // 503: the node belongs to no cluster
	CodeNoCoordinator Code = "no-coordinator" // 503: nobody can answer now
	CodeUnreachable   Code = "unreachable"    // made by the client: no daemon answers
	CodeTimeout       Code = "timeout"        // 504
)

// HTTPStatus returns the status that carries the code.
func (c Code) HTTPStatus() int {
	switch c {
	case CodeUsage:
		return http.StatusBadRequest
	case CodeForbidden:
		return http.StatusForbidden
	case CodeNotFound:
		return http.StatusNotFound
	case CodeConflict, CodeRefused, CodeConfirm:
		return http.StatusConflict
	case CodeInvalid:
		return http.StatusUnprocessableEntity
	case CodeUnconfigured, CodeNoCoordinator, CodeUnreachable:
		return http.StatusServiceUnavailable
	case CodeTimeout:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// Error is an error for people: what was attempted, where, why it failed, and what to do next.
type Error struct {
	Code     Code      `json:"code"`
	What     string    `json:"what"`            // "fence node2"
	Where    string    `json:"where,omitempty"` // node that says so
	Why      string    `json:"why"`
	Hint     string    `json:"hint,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
}

// Error returns "what: why" in one line.
func (e *Error) Error() string {
	switch {
	case e.What == "":
		return e.Why
	case e.Why == "":
		return e.What
	}
	return e.What + ": " + e.Why
}

// Is reports whether target is an *Error of the same code that names no act of its own, so that sentinels can be compared.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.What == "" && t.Code == e.Code
}

// Errorf makes an Error of a code; the text is why.
func Errorf(code Code, what, format string, args ...any) *Error {
	return &Error{Code: code, What: what, Why: fmt.Sprintf(format, args...)}
}

// WithHint returns a copy of e with a hint.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// ErrUnconfigured is what a Backend returns while its node belongs to no cluster.
var ErrUnconfigured = &Error{
	Code: CodeUnconfigured, Why: "this node belongs to no cluster yet",
	Hint: "make a cluster with `paceline cluster init`, or join one with `paceline cluster join TOKEN`",
}

// asError turns any error into an *Error for the act named by what.
func asError(err error, what, where string) *Error {
	var e *Error
	if errors.As(err, &e) {
		c := *e
		if c.What == "" {
			c.What = what
		}
		if c.Where == "" {
			c.Where = where
		}
		return &c
	}
	code := CodeFailed
	why := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		code = CodeTimeout
		why = "it took too long: " + why
	}
	return &Error{Code: code, What: what, Where: where, Why: why}
}
