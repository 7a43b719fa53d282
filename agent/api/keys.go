package api

import "context"

// KeyKeeper is the Backend of a daemon whose cluster has a key.
type KeyKeeper interface {
	// RotateKey replaces the cluster's key on all members, or goes on with a rotation that was cut short.
	RotateKey(ctx context.Context, r KeyRotateRequest) (KeyRotateReply, error)
	// RenewKey fetches the cluster's key for this node with a join token.
	RenewKey(ctx context.Context, token string) (KeyRotateReply, error)
}

// KeyRotateRequest replaces the cluster's key.
type KeyRotateRequest struct {
	// WithoutAbsent drops the old key though members are not there: they need a token to come back.
	WithoutAbsent bool `json:"without_absent,omitempty"`
}

// KeyRenewRequest fetches the cluster's key for a node that was away while it was replaced.
type KeyRenewRequest struct {
	Token string `json:"token"`
}

// KeyRotateReply says how far a rotation came.
type KeyRotateReply struct {
	Schema  int      `json:"schema"`
	Key     string   `json:"key"`              // fingerprint of the new key
	Nodes   []string `json:"nodes"`            // that use it
	Absent  []string `json:"absent,omitempty"` // members that are not there
	Waiting bool     `json:"waiting"`          // the old key is accepted still, for those that are absent
}

func (s *Server) keyKeeper() (KeyKeeper, error) {
	if k, ok := s.backend.(KeyKeeper); ok {
		return k, nil
	}
	return nil, Errorf(CodeRefused, "", "this daemon keeps no cluster key")
}

func (s *Server) rotateKey(ctx context.Context, q *request) (any, error) {
	var r KeyRotateRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	k, err := s.keyKeeper()
	if err != nil {
		return nil, err
	}
	reply, err := k.RotateKey(ctx, r)
	reply.Schema = Schema
	return &reply, err
}

func (s *Server) renewKey(ctx context.Context, q *request) (any, error) {
	var r KeyRenewRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	k, err := s.keyKeeper()
	if err != nil {
		return nil, err
	}
	reply, err := k.RenewKey(ctx, r.Token)
	reply.Schema = Schema
	return &reply, err
}
