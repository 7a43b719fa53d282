package ctl

import (
	"strings"

	"paceline/agent/api"
)

// proposeFencing says how the nodes of a new cluster could be fenced.
func (in *invocation) proposeFencing(p api.FencingProposal) {
	in.printf("\nNot protected yet: no fencing is configured, so what a lost node ran waits for a person (`paceline node fence --confirmed NODE`).\n")
	if len(p.Ways) == 0 {
		in.printf("Nothing was found here by which nodes could be fenced: no management controller, no hypervisor that is known, no watchdog.\n" +
			"`paceline ra list stonith` lists the agents for power switches and others; `modprobe softdog` makes a watchdog of software.\n")
		return
	}
	in.printf("Found here: %s. The nodes could be fenced by\n", strings.Join(p.Found, "; "))
	for i, w := range p.Ways {
		in.printf("\n%d. %s:\n", i+1, w.Text)
		if w.Init != "" {
			in.printf("     on every node: paceline cluster init ... %s (and the same with join)\n", w.Init)
		}
		for line := range strings.Lines(w.CRM) {
			in.printf("     paceline configure %s\n", strings.TrimRight(line, "\n"))
		}
	}
	in.printf("\nThen `paceline fence test NODE` shows whether it works.\n")
}
