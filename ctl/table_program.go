package ctl

// programCommands are about the program itself.
var programCommands = []command{
	{
		path: "version", short: "print the version", run: runVersion, flags: []flag{flagJSON},
	},
	{
		path: "completion", short: "print a completion script for a shell", run: runCompletion,
		args:     []arg{{name: "SHELL", kind: argChoice, values: []string{"bash", "fish", "zsh"}}},
		examples: []string{"paceline completion bash > /etc/bash_completion.d/paceline", "paceline completion fish | source"},
	},
}
