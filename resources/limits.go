package resources

import "time"

const (
	// OutputMax bounds Result.Output in bytes: enough for a stack of messages, little enough to replicate.
	OutputMax = 4096
	// ReasonMax bounds Result.Reason in bytes: one line that fits a status page.
	ReasonMax = 512
	// MetaDataMax bounds an agent's meta-data in bytes. The longest of the usual agents print 50 KiB.
	MetaDataMax = 1 << 20
	// ParametersMax bounds the parameters of one agent: the longest lists of the usual agents have below 100.
	ParametersMax = 1000
	// SecretMin is the least length of a secret in bytes: a shorter one would be found, and hidden, in the middle of other words.
	SecretMin = 4
	// DefaultTimeout is the budget of a native operation whose request names none: OCF's usual default.
	DefaultTimeout = 20 * time.Second
)
