// Package builtin names the agents that paceline brings along, in one table: for the daemon's registry, and for the daemon's
// binary when it is called as an OCF agent by the agent's name.
//
// Guarantee: an agent behaves the same in process and as an executable, but for what needs a process that stays (events,
// announcements that are repeated later).
package builtin

import (
	"log/slog"

	"paceline/resources"
	"paceline/resources/attribute"
	"paceline/resources/check"
	"paceline/resources/filelease"
	"paceline/resources/health"
	"paceline/resources/mount"
	"paceline/resources/ocf"
	"paceline/resources/ping"
	"paceline/resources/process"
	"paceline/resources/systemd"
	"paceline/resources/vip"
)

// Config says where agents keep their state.
type Config struct {
	StateDir string       // emptied by a reboot; empty: /run/paceline
	OCFRoot  string       // empty: /usr/lib/ocf
	Tools    string       // folder of the tools that OCF agents call (crm_attribute and the like); empty: none
	Socket   string       // of the daemon, for these tools; empty: the usual one
	Cgroup   string       // folder for the cgroups of OCF agents' operations, and of commands under our own supervision; empty: they have none of their own
	TraceDir string       // where the output of OCF agents is kept whose resource has trace_ra; empty: nowhere
	Logger   *slog.Logger // nil: none

	oneShot bool // the process ends with the operation
}

// native is the table of agents in process.
var native = []struct {
	agent resources.Agent
	make  func(Config) resources.Runner
}{
	{process.Agent, func(c Config) resources.Runner {
		return process.New(process.Config{RunDir: c.StateDir, Cgroup: c.Cgroup, Logger: c.Logger})
	}},
	{check.Agent, func(c Config) resources.Runner { return check.New(c.attribute()) }},
	{health.Disk, func(c Config) resources.Runner { return health.NewDisk(c.attribute()) }},
	{filelease.Agent, func(Config) resources.Runner { return filelease.New() }},
	{health.Load, func(c Config) resources.Runner { return health.NewLoad(c.attribute()) }},
	{mount.Agent, func(c Config) resources.Runner { return mount.New(mount.Config{Logger: c.Logger}) }},
	{ping.Agent, func(c Config) resources.Runner { return ping.New(c.attribute()) }},
	{vip.Agent, func(c Config) resources.Runner { return vip.New(vip.Config{Logger: c.Logger, OneShot: c.oneShot}) }},
}

func (c Config) attribute() attribute.Config {
	return attribute.Config{StateDir: c.StateDir, Tools: c.Tools, Socket: c.Socket, Logger: c.Logger}
}

func (c Config) withDefaults() Config {
	if c.StateDir == "" {
		c.StateDir = "/run/paceline"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Registry returns a registry with all agents: those of paceline in process, and the classes ocf, systemd, lsb and service.
func Registry(c Config) *resources.Registry {
	c = c.withDefaults()
	g := &resources.Registry{}
	for _, n := range native {
		g.Register(n.agent, n.make(c))
	}
	agents := ocf.Config{Root: c.OCFRoot, RunDir: c.StateDir, Tools: c.Tools, Socket: c.Socket, Cgroup: c.Cgroup, Trace: c.TraceDir, Logger: c.Logger}
	units := systemd.New(systemd.Config{Logger: c.Logger})
	init := ocf.NewScripts("", agents)
	g.RegisterClass("ocf", ocf.New(agents))
	g.RegisterClass("systemd", units)
	g.RegisterClass("lsb", init)
	g.RegisterClass("service", ocf.Services{Units: units, Scripts: init})
	return g
}

// IsAgent says whether a program called by that name is one of the agents.
func IsAgent(name string) bool { return find(name) >= 0 }

func find(name string) int {
	for i, n := range native {
		if n.agent.Type == name {
			return i
		}
	}
	return -1
}
