package ctl

// maintenanceCommands let people work on what the cluster manages.
var maintenanceCommands = []command{
	{
		path: "maintenance on", short: "leave a resource, or the whole cluster, alone", run: runMaintenanceAll("on"),
		long: "Without RESOURCE it is the whole cluster: nothing is monitored, recovered or moved until 'maintenance off'.",
		args: []arg{{name: "RESOURCE", kind: argResource, optional: true}}, flags: writes,
		examples: []string{"paceline maintenance on", "paceline maintenance on web"},
	},
	{
		path: "maintenance off", short: "take it under control again", run: runMaintenanceAll("off"),
		args: []arg{{name: "RESOURCE", kind: argResource, optional: true}}, flags: writes,
		examples: []string{"paceline maintenance off"},
	},
}
