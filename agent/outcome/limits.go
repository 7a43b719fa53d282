package outcome

const (
	// ReasonMax bounds texts that agents give and that the CIB keeps: a sentence or two.
	ReasonMax = 512
	// roundsMax bounds how often Execute asks a transition for more: each time at least one action ends, and no graph that
	// can be planned for in reasonable time has more actions.
	roundsMax = 10_000_000
)
