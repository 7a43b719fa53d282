package api

// FencingProposal says how the nodes of a new cluster could be fenced, by what was found on this machine.
type FencingProposal struct {
	Found []string `json:"found"` // what was found, in words
	// Ways are the ways to fence, the best first.
	Ways []FencingWay `json:"ways"`
}

// FencingWay is one way to fence nodes.
type FencingWay struct {
	Text string `json:"text"`           // what it is and what is to be done, in words
	CRM  string `json:"crm,omitempty"`  // for paceline configure load update; words in capitals are to be replaced
	Init string `json:"init,omitempty"` // flags of cluster init and cluster join that it needs on every node
}
