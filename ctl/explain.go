package ctl

import (
	"fmt"
	"io"

	"paceline/agent/api"
)

func runExplain(in *invocation) error {
	x, err := in.api.Explain(in.ctx, in.arg(0), in.arg(1))
	if err != nil {
		return err
	}
	if in.json() {
		return in.writeJSON(x)
	}
	in.folding(func(w io.Writer) { writeExplanation(w, x) })
	return nil
}

func writeExplanation(w io.Writer, x *api.Explanation) {
	for _, s := range x.Summary {
		fmt.Fprintln(w, s)
	}
	for _, n := range x.Nodes {
		fmt.Fprintf(w, "\n%s: %s\n", n.Node, n.Verdict)
		for _, r := range n.Reasons {
			fmt.Fprintf(w, "  - %s\n", r)
		}
	}
	if len(x.Would) > 0 {
		fmt.Fprintln(w, "\nWhat would change it:")
		for _, c := range x.Would {
			fmt.Fprintf(w, "  %s\n", c)
		}
	}
}
