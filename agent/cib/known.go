package cib

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ValueType says what a value must be.
type ValueType string

// The types of values.
const (
	TypeBool    ValueType = "boolean"
	TypeInteger ValueType = "integer"
	TypeScore   ValueType = "score"
	TypeTime    ValueType = "time"
	TypePercent ValueType = "percentage"
	TypeEnum    ValueType = "one of"
	TypeText    ValueType = "text"
)

// Known describes an option or attribute that the cluster understands.
type Known struct {
	Name    string    `json:"name"`
	Old     []string  `json:"old,omitempty"` // earlier names, still accepted
	Type    ValueType `json:"type"`
	Default string    `json:"default,omitempty"`
	Allowed []string  `json:"allowed,omitempty"` // of TypeEnum
	Min     string    `json:"min,omitempty"`     // least integer; empty is no bound
	Text    string    `json:"text"`              // one line for people
}

var roles = []string{"Started", "Stopped", "Promoted", "Unpromoted"}

var oldRoles = map[string]string{"master": "Promoted", "slave": "Unpromoted"}

// ClusterOptions returns what is known of cluster options, by name.
func ClusterOptions() []Known { return slices.Clone(clusterOptions) }

// MetaAttributes returns what is known of the meta attributes of resources, by name.
func MetaAttributes() []Known { return slices.Clone(metaAttributes) }

// OperationAttributes returns what is known of the attributes of operations, by name.
func OperationAttributes() []Known { return slices.Clone(operationAttributes) }

// DeviceParameters returns the parameters that the cluster itself reads of every fencing device, by name.
func DeviceParameters() []Known { return slices.Clone(deviceParameters) }

var clusterOptions = []Known{
	{Name: "batch-limit", Type: TypeInteger, Default: "0", Text: "most actions in flight at once in the whole cluster; 0 derives it from the load"},
	{Name: "cancel-removed-actions", Type: TypeBool, Default: "true", Text: "whether recurring operations that were removed from the configuration are cancelled"},
	{Name: "cluster-delay", Type: TypeTime, Default: "60s", Text: "longest time that an order needs to reach a node and be answered, beyond its own time"},
	{Name: "cluster-infrastructure", Type: TypeText, Text: "the layer that carries messages; written by the cluster, for people to read"},
	{Name: "cluster-ipc-limit", Type: TypeInteger, Default: "500", Min: "0", Text: "most messages that may wait for one local client before it is disconnected"},
	{Name: "cluster-name", Type: TypeText, Text: "the cluster's name, for people and for rules"},
	{Name: "cluster-recheck-interval", Type: TypeTime, Default: "15min", Text: "how often the plan is made anew without any event, for rules that depend on the time"},
	{Name: "concurrent-fencing", Type: TypeBool, Default: "true", Text: "whether several nodes may be fenced at the same time"},
	{Name: "dc-deadtime", Type: TypeTime, Default: "20s", Text: "how long a starting node waits for the others before it takes them for absent"},
	{Name: "dc-version", Type: TypeText, Text: "version of the coordinator's software; written by the cluster"},
	{Name: "election-timeout", Type: TypeTime, Default: "2min", Text: "how long an election may take before it is a fault"},
	{Name: "enable-acl", Type: TypeBool, Default: "false", Text: "whether access rules limit users other than root and the cluster's own"},
	{Name: "enable-startup-probes", Type: TypeBool, Default: "true", Text: "whether a node that joins is asked for the state of every resource"},
	{Name: "fencing-action", Type: TypeEnum, Default: "reboot", Allowed: []string{"reboot", "off", "poweroff"}, Text: "what is done to a node that is fenced"},
	{Name: "fencing-enabled", Type: TypeBool, Default: "true", Text: "whether failed nodes are fenced before their resources are recovered"},
	{Name: "fencing-max-attempts", Type: TypeInteger, Default: "10", Min: "1", Text: "without effect: a failed fencing is tried again, with pauses that grow to a minute"},
	{Name: "fencing-reaction", Type: TypeEnum, Default: "stop", Allowed: []string{"stop", "panic"}, Text: "what a node does that learns of its own fencing"},
	{Name: "fencing-timeout", Type: TypeTime, Default: "60s", Text: "how long an action of a fencing device may take"},
	{Name: "fencing-watchdog-timeout", Type: TypeTime, Default: "0", Text: "after which time a lost node has surely reset itself by its watchdog; 0 is never, negative derives it"},
	{Name: "have-watchdog", Type: TypeBool, Default: "false", Text: "whether self-fencing by watchdog is active; written by the cluster"},
	{Name: "join-finalization-timeout", Type: TypeTime, Default: "30min", Text: "how long the end of joining may take before it is a fault"},
	{Name: "join-integration-timeout", Type: TypeTime, Default: "3min", Text: "how long joining may take before it is a fault"},
	{Name: "last-lrm-refresh", Type: TypeText, Text: "time of the last cleanup; written by tools"},
	{Name: "load-threshold", Type: TypePercent, Default: "80%", Text: "load of a node above which fewer actions are sent to it"},
	{Name: "maintenance-mode", Type: TypeBool, Default: "false", Text: "whether the cluster leaves all resources alone"},
	{Name: "migration-limit", Type: TypeInteger, Default: "-1", Min: "-1", Text: "most live migrations in parallel on one node; -1 is no limit"},
	{Name: "no-quorum-policy", Type: TypeEnum, Default: "stop", Allowed: []string{"stop", "freeze", "ignore", "demote", "fence", "suicide"}, Text: "what a part of the cluster without quorum does with its resources"},
	{Name: "node-action-limit", Type: TypeInteger, Default: "0", Text: "most actions in flight at once on one node; 0 is twice its processors"},
	{Name: "node-health-base", Type: TypeScore, Default: "0", Text: "score added for every node under node-health-strategy progressive"},
	{Name: "node-health-green", Type: TypeScore, Default: "0", Text: "score that the health value green stands for"},
	{Name: "node-health-red", Type: TypeScore, Default: "-INFINITY", Text: "score that the health value red stands for"},
	{Name: "node-health-strategy", Type: TypeEnum, Default: "none", Allowed: []string{"none", "migrate-on-red", "only-green", "progressive", "custom"}, Text: "how health attributes of a node influence its scores"},
	{Name: "node-health-yellow", Type: TypeScore, Default: "0", Text: "score that the health value yellow stands for"},
	{Name: "node-pending-timeout", Type: TypeTime, Default: "0", Text: "how long a node may be in the membership without joining before it is fenced; 0 is for ever"},
	{Name: "pe-error-series-max", Type: TypeInteger, Default: "-1", Text: "how many inputs of plans with errors are kept; -1 is all"},
	{Name: "pe-input-series-max", Type: TypeInteger, Default: "4000", Text: "how many inputs of ordinary plans are kept; -1 is all"},
	{Name: "pe-warn-series-max", Type: TypeInteger, Default: "5000", Text: "how many inputs of plans with warnings are kept; -1 is all"},
	{Name: "placement-strategy", Type: TypeEnum, Default: "default", Allowed: []string{"default", "utilization", "minimal", "balanced"}, Text: "how the capacity of nodes takes part in placing resources"},
	{Name: "priority-fencing-delay", Type: TypeTime, Default: "0", Text: "delay of fencing the node with the greater sum of priorities, so that it wins a duel"},
	{Name: "remove-after-stop", Type: TypeBool, Default: "false", Text: "whether a resource is forgotten on a node once it has stopped there"},
	{Name: "shutdown-escalation", Type: TypeTime, Default: "20min", Text: "after which time a clean shutdown of a node is given up"},
	{Name: "shutdown-lock", Type: TypeBool, Default: "false", Text: "whether resources of a cleanly stopped node wait for it instead of moving"},
	{Name: "shutdown-lock-limit", Type: TypeTime, Default: "0", Text: "how long they wait; 0 is for ever"},
	{Name: "start-failure-is-fatal", Type: TypeBool, Default: "true", Text: "whether one failed start forbids the node; else the fail count decides"},
	{Name: "startup-fencing", Type: TypeBool, Default: "true", Text: "whether nodes never seen yet are fenced; turning it off is unsafe"},
	{Name: "stop-all-resources", Type: TypeBool, Default: "false", Text: "whether everything is stopped"},
	{Name: "stop-removed-resources", Type: TypeBool, Default: "true", Text: "whether resources that were removed from the configuration are stopped"},
	{Name: "symmetric-cluster", Type: TypeBool, Default: "true", Text: "whether a resource may run on any node that nothing forbids"},
	{Name: "transition-delay", Type: TypeTime, Default: "0s", Text: "how long the coordinator waits for more events before it plans"},
	{Name: "wait-for-all", Type: TypeBool, Default: "false", Text: "whether a cluster that comes up waits for all nodes that were members; two nodes always do"},
}

var metaAttributes = []Known{
	{Name: "allow-migrate", Type: TypeBool, Default: "false", Text: "whether the resource moves by live migration where it can"},
	{Name: "allow-unhealthy-nodes", Type: TypeBool, Default: "false", Text: "whether it may run on nodes whose health is bad"},
	{Name: "clone-max", Type: TypeInteger, Min: "0", Text: "how many instances of the clone run; by default one for each node"},
	{Name: "clone-min", Type: TypeInteger, Default: "0", Min: "0", Text: "how many instances must run before what is ordered after the clone may start"},
	{Name: "clone-node-max", Type: TypeInteger, Default: "1", Min: "0", Text: "how many instances of the clone run on one node"},
	{Name: "container", Type: TypeText, Text: "resource that this one runs in"},
	{Name: "container-attribute-target", Type: TypeEnum, Allowed: []string{"host"}, Text: "where node attributes of a container are kept"},
	{Name: "critical", Type: TypeBool, Default: "true", Text: "whether what it depends on moves along when it has to move"},
	{Name: "failure-backoff", Type: TypeTime, Default: "0", Text: "pause before a second try after a failure on a node, doubled with each further one; 0 is none"},
	{Name: "failure-backoff-max", Type: TypeTime, Default: "1min", Text: "what the pause of failure-backoff grows to at most"},
	{Name: "failure-timeout", Type: TypeTime, Default: "0", Text: "after which time without a new failure the old ones are forgotten; 0 is never"},
	{Name: "globally-unique", Type: TypeBool, Default: "false", Text: "whether the instances of the clone differ from each other"},
	{Name: "interleave", Type: TypeBool, Default: "false", Text: "whether an instance waits only for the instance of the other clone on its own node"},
	{Name: "is-managed", Type: TypeBool, Default: "true", Text: "whether the cluster starts and stops the resource"},
	{Name: "maintenance", Type: TypeBool, Default: "false", Text: "whether the cluster leaves the resource alone and does not monitor it"},
	{Name: "migration-threshold", Type: TypeScore, Default: "INFINITY", Text: "how many failures on a node move the resource away; 0 is never"},
	{Name: "multiple-active", Type: TypeEnum, Default: "stop_start", Allowed: []string{"block", "stop_only", "stop_start", "stop_unexpected"}, Text: "what is done when the resource is found active on several nodes"},
	{Name: "notify", Type: TypeBool, Default: "false", Text: "whether instances are told before and after others start, stop or change roles"},
	{Name: "ordered", Type: TypeBool, Default: "false", Text: "whether instances start one after the other"},
	{Name: "priority", Type: TypeScore, Default: "0", Text: "which resources stay active when not all can; the greater, the rather"},
	{Name: "promotable", Type: TypeBool, Default: "false", Text: "whether instances of the clone have a promoted role"},
	{Name: "promoted-max", Old: []string{"master-max"}, Type: TypeInteger, Default: "1", Min: "0", Text: "how many instances are promoted"},
	{Name: "promoted-node-max", Old: []string{"master-node-max"}, Type: TypeInteger, Default: "1", Min: "0", Text: "how many instances are promoted on one node"},
	{Name: "provides", Type: TypeText, Text: "what a fencing device does besides fencing: unfencing"},
	{Name: "remote-addr", Type: TypeText, Text: "address of the guest node; by default its name"},
	{Name: "remote-allow-migrate", Type: TypeBool, Default: "true", Text: "whether the guest node's connection may migrate"},
	{Name: "remote-connect-timeout", Type: TypeTime, Default: "60s", Text: "how long connecting to the guest node may take"},
	{Name: "remote-node", Type: TypeText, Text: "name of the guest node that this resource is"},
	{Name: "remote-port", Type: TypeInteger, Default: "3121", Min: "1", Text: "port of the guest node"},
	{Name: "requires", Type: TypeEnum, Default: "fencing", Allowed: []string{"nothing", "quorum", "fencing", "unfencing"}, Text: "what must be the case before the resource may start"},
	{Name: "resource-stickiness", Type: TypeScore, Default: "0", Text: "score for staying where it is"},
	{Name: "target-role", Type: TypeEnum, Default: "Started", Allowed: roles, Text: "the state in which the resource is kept"},
}

var onFail = []string{"ignore", "block", "demote", "stop", "restart", "fence", "standby", "restart-container"}

var operationAttributes = []Known{
	{Name: "enabled", Type: TypeBool, Default: "true", Text: "whether the recurring operation runs"},
	{Name: "interval", Type: TypeTime, Default: "0", Text: "how often it runs; 0 is once, when it is needed"},
	{Name: "interval-origin", Type: TypeText, Text: "time from which the intervals are counted"},
	{Name: "on-fail", Type: TypeEnum, Allowed: onFail, Text: "what is done when it fails; by default restart, and fence for stop"},
	{Name: "record-pending", Type: TypeBool, Default: "true", Text: "whether it is shown while it runs"},
	{Name: "requires", Type: TypeEnum, Allowed: []string{"nothing", "quorum", "fencing", "unfencing"}, Text: "what must be the case before it may run"},
	{Name: "role", Type: TypeEnum, Default: "Started", Allowed: roles, Text: "the role in which the recurring operation runs"},
	{Name: "start-delay", Type: TypeTime, Default: "0", Text: "how long the first run waits after the start"},
	{Name: "timeout", Type: TypeTime, Default: "20s", Text: "how long it may take"},
}

var deviceParameters = []Known{
	{Name: "pcmk_action_limit", Type: TypeInteger, Default: "1", Min: "-1", Text: "most actions in parallel on the device; -1 is no limit"},
	{Name: "pcmk_delay_base", Type: TypeText, Default: "0s", Text: "fixed delay before it fences, for all nodes or as a map NODE:TIME;..."},
	{Name: "pcmk_delay_max", Type: TypeTime, Default: "0s", Text: "greatest random delay before it fences"},
	{Name: "pcmk_host_argument", Type: TypeText, Default: "port", Text: "parameter of the agent that names the node; none for a device of one node"},
	{Name: "pcmk_host_check", Type: TypeEnum, Default: "dynamic-list", Allowed: []string{"dynamic-list", "static-list", "status", "none"}, Text: "how it is found out which nodes the device can fence"},
	{Name: "pcmk_host_list", Type: TypeText, Text: "names of the nodes that the device can fence"},
	{Name: "pcmk_host_map", Type: TypeText, Text: "what the device calls the nodes: NODE:NAME;..."},
}

// Find returns the entry of that name, also under an old one.
func Find(table []Known, name string) (Known, bool) {
	canonical := CanonicalOption(name)
	for _, k := range table {
		if k.Name == name || k.Name == canonical || slices.Contains(k.Old, name) {
			return k, true
		}
	}
	return Known{}, false
}

// Names returns the names of a table, without the old ones.
func Names(table []Known) []string {
	names := make([]string, 0, len(table))
	for _, k := range table {
		names = append(names, k.Name)
	}
	return names
}

// Check tells what is wrong with a value, or returns nil. The error says what is allowed.
func (k Known) Check(value string) error {
	if value == "#default" && k.Default != "" {
		return nil // a way to write the default
	}
	switch k.Type {
	case TypeBool:
		_, err := ParseBool(value)
		return err
	case TypeScore:
		_, err := ParseScore(value)
		if err == nil && !wholeNumber(value) {
			err = fmt.Errorf("%q is not an integer", value)
		}
		return err
	case TypeTime:
		_, err := ParseMilliseconds(value)
		return err
	case TypeInteger:
		return k.checkInteger(value)
	case TypePercent:
		if n, err := strconv.Atoi(strings.TrimSuffix(value, "%")); err != nil || n < 0 {
			return fmt.Errorf("%q is not a percentage: 80%% is", value)
		}
	case TypeEnum:
		return checkEnum(value, k.Allowed)
	}
	return nil
}

func (k Known) checkInteger(value string) error {
	n, err := ParseScore(value) // INFINITY is a number wherever scores are
	if err != nil || !wholeNumber(value) {
		return fmt.Errorf("%q is not an integer", value)
	}
	if least, err := strconv.Atoi(k.Min); err == nil && n < least {
		return fmt.Errorf("%s is too small: at least %d is needed", value, least)
	}
	return nil
}

// wholeNumber tells whether nothing follows the integer of a score.
func wholeNumber(score string) bool {
	t := strings.TrimSpace(score)
	return leadingInteger(t) == t || strings.HasSuffix(strings.ToLower(t), "infinity")
}

// checkEnum compares without case; names of roles may be the old ones.
func checkEnum(value string, allowed []string) error {
	name := value
	if modern, old := oldRoles[strings.ToLower(value)]; old {
		name = modern
	}
	if slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(a, name) }) {
		return nil
	}
	return fmt.Errorf("%q is not allowed: %s%s", value, oneOf(allowed), didYouMean(value, allowed))
}

// oneOf lists alternatives: "a, b or c is".
func oneOf(list []string) string {
	switch len(list) {
	case 0:
		return "nothing is"
	case 1:
		return list[0] + " is"
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1] + " is"
}

// KnownCallAttribute begins the name of a transient attribute of a node: which call of a resource was the newest recorded when
// its history was forgotten. A node repeats results until they are acknowledged; up to that one they are known.
const KnownCallAttribute = "#known-call-"

// PillAttribute is the transient attribute of a node to which poison pills reach over shared disks: its boot, a space, and the
// message wait in milliseconds. The node announces it; without it no pill counts.
const PillAttribute = "#sbd"

// PresumedDeadAttribute is the transient attribute of a node that says how many milliseconds after its last session it is
// dead in truth, by its own watchdog. The node announces it; without it nobody may presume so.
const PresumedDeadAttribute = "#presumed-dead-ms"

// RestartAttribute is the transient attribute of a node whose daemon announced that it ends and starts anew: its boot, a space, and
// its incarnation. Of any other boot or incarnation it says nothing. A version that does not know it leaves it alone.
const RestartAttribute = "#restart"
