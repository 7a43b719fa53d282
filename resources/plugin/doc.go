// Package plugin is the kit for authors of resource agents: a Go type with the methods Start, Stop and Monitor, whose fields are its
// parameters, becomes one static OCF executable that paceline runs, and any other manager of OCF agents too.
//
//	type Agent struct {
//		Port int `ra:"port,required" min:"1" max:"65535" short:"Port to listen on"`
//	}
//	func main() { plugin.Main[Agent](plugin.Info{Name: "shop", Version: "1.0", Short: "The shop"}) }
//
// What the kit does, so that authors need not: meta-data (OCF 1.1), validate-all, usage and a manual page; parameters read into the fields, with
// defaults and messages that name what is wrong; exit codes and exit reasons; starts and stops of what is started and stopped
// already; a look by Monitor at what Start and Stop claim; time-outs that say what the agent was doing, told shortly before
// the manager would end it without a word; panics.
//
// It is the same frame (package native) in which paceline's own agents live, and imports the standard library and the agent
// contract alone. docs/writing-agents.md tells the story; the package example has an agent of forty lines.
//
// Tested by agents that behave and agents that do not, by the conformance checker and by ocf-tester.
package plugin
