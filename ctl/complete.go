package ctl

func runCompletion(in *invocation) error {
	in.printf("")
	return nil
}
