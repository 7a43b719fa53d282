package ctl

func runExplain(in *invocation) error {
	x, err := in.api.Explain(in.ctx, in.arg(0), in.arg(1))
	if err != nil {
		return err
	}
	if in.json() {
		return in.writeJSON(x)
	}
	for _, s := range x.Summary {
		in.printf("%s\n", s)
	}
	for _, n := range x.Nodes {
		in.printf("\n%s: %s\n", n.Node, n.Verdict)
		for _, r := range n.Reasons {
			in.printf("  - %s\n", r)
		}
	}
	if len(x.Would) > 0 {
		in.printf("\nWhat would change it:\n")
		for _, w := range x.Would {
			in.printf("  %s\n", w)
		}
	}
	return nil
}
