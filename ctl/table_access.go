package ctl

// accessCommands say who may use the cluster from elsewhere.
var accessCommands = []command{
	{
		path: "access token", short: "make, list and revoke tokens for use from elsewhere", run: runAccessToken,
		long: "A token lets whoever has it use the cluster over TLS, from any machine, in the name of a user, with the rights of roles or of\n" +
			"a scope, until it expires. `create` prints it once: the cluster keeps a hash only. There, put it into a file of mode 0600\n" +
			"(environment PACELINE_TOKEN_FILE; default ~/.config/paceline/token) and say --host HOST before the command, or set\n" +
			"PACELINE_HOST. A token makes no tokens, and takes nodes neither in nor out.",
		args: []arg{{name: "ACTION", kind: argChoice, values: []string{"create", "list", "revoke"}}, {name: "ID", kind: argText, optional: true}},
		flags: []flag{
			{name: "user", kind: flagText, usage: "`NAME` under which its use stands in the history"},
			{name: "role", kind: flagText, usage: "the `ROLES` of the configuration that it has, separated by commas"},
			{name: "scope", kind: flagText, usage: "instead of roles: `read` everything, or write everything"},
			{name: "expires", kind: flagDuration, def: "8h", usage: "`TIME` for which it is good"},
			flagJSON,
		},
		examples: []string{
			"paceline access token create --user alice --role operator --expires 8h",
			"paceline access token create --user monitoring --scope read --expires 720h",
			"paceline access token list",
			"paceline access token revoke 3f9c2a7be1",
		},
	},
}
