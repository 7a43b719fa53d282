package api

import "time"

const (
	// RouteWait bounds the search for a coordinator: no command waits longer for one than this. An election takes
	// well under a second; a person notices two.
	RouteWait = 2 * time.Second
	// AuditMax bounds one node's part of an audit: it reads some 50 MB of journal.
	AuditMax = 30 * time.Second
	// leadsEvery is how often a request that was passed to the coordinator looks whether that still is one: a person who waits notices
	// half a second more or less.
	leadsEvery = 500 * time.Millisecond
	// BodyMax bounds a request: a configuration of some thousand resources is about 5 MiB of JSON.
	BodyMax = 32 << 20
	// ReplyMax bounds what a client reads: the same configuration with its status.
	ReplyMax = 256 << 20
	// RequestMax bounds a request without a wait of its own.
	RequestMax = 30 * time.Second
	// FenceMax bounds an ordered fencing: slow power controllers with retries and several levels.
	FenceMax = 10 * time.Minute
	// WaitMax bounds a wait that a client may ask for: longer than any sane start time-out.
	WaitMax = time.Hour
	// WaitDefault is used where a wait is asked for without a time.
	WaitDefault = 5 * time.Minute
	// LeaveMax bounds leaving and joining: resources are stopped or moved first.
	LeaveMax = 10 * time.Minute
	// HeartbeatEvery is how often a stream says that it lives.
	HeartbeatEvery = 10 * time.Second
	// WatchElsewhere is how often a stream on a node that does not coordinate looks again: what changes on the coordinator
	// alone wakes nobody here.
	WatchElsewhere = 500 * time.Millisecond
	// WatchGap joins changes that come together, so that a storm of results is not a storm of statuses.
	WatchGap = 50 * time.Millisecond
	// planAge is how long a plan of one state is shown: plans change by the passing of time alone (rules, expiries), and
	// nobody reads a status twice in this time.
	planAge = time.Second
	// sessionGrace is how long a node that has come may be without a session before people are told: several dials.
	sessionGrace = 10 * time.Second
	// HistoryDefault is how many commits are listed when nobody says.
	HistoryDefault = 20
	// originMax is how far back the commit that made something what it is is looked for, and remediesMax how many commands an
	// explanation proposes.
	originMax   = 200
	remediesMax = 12
	// FenceLast is how many events of the fencing history a status carries.
	FenceLast = 10
	// TokenTTL is how long a join token is good when nobody says: an afternoon's work.
	TokenTTL = 24 * time.Hour
	// MoveExpiry ends the preference that a move made if nobody is left to remove it.
	MoveExpiry = 15 * time.Minute
	// AttributesMax bounds the attributes that one request sets: agents set one or two.
	AttributesMax = 100
	// AttributeNameMax and AttributeValueMax bound one attribute in bytes: every node keeps all of them in memory.
	AttributeNameMax  = 1024
	AttributeValueMax = 16 << 10
	// AccessTTL is how long an access token is good when nobody says: a day's work. AccessTTLMax bounds it: what nobody has
	// renewed for a year, nobody watches.
	AccessTTL    = 8 * time.Hour
	AccessTTLMax = 366 * 24 * time.Hour
	// tokenID is how many digits of its hash name an access token: they collide once in billions.
	tokenID = 10
	// refusalsMax is how many refusals in refusalsPause are kept in the timeline: a program that asks for what it may not have, again and
	// again, is not to push everything else out of it.
	refusalsMax   = 20
	refusalsPause = time.Minute
	// remoteMax bounds the connections of people and programs outside the cluster; more wait.
	remoteMax = 64
	// guessesMax is how many wrong tokens a host may show in guessPause before it is not listened to for that time;
	// guessHostsMax bounds the hosts that are remembered.
	guessesMax    = 5
	guessPause    = time.Minute
	guessHostsMax = 1024
	// tokenWait is how long a node waits to hear of a token: replication takes milliseconds.
	tokenWait = time.Second
	// nameMax bounds a name that is looked for in texts which are not for everybody: no ID is longer.
	nameMax = 256
)
