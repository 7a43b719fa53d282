// Package ocftools is the tools that OCF resource agents call to read and set node attributes and to ask who is there:
// crm_attribute, crm_master, crm_standby, crm_failcount, attrd_updater, crm_node, crm_resource, and what reads of crm_mon and cibadmin, with the options that agents use, the output that they
// parse and the exit codes that they look at. They are one program by several names and speak to the daemon of this node.
//
// Guarantee: a tool ends within its budget (see limits.go), whatever the cluster does; with exit code 0 only if what was to be set
// is committed (or taken by the daemon, where the attribute is dampened); while the coordinator changes it waits for the next.
//
// The options are those of the manual pages of Pacemaker 2.1; what no agent calls is not there, and is refused in words.
//
// Tested with an API in memory, and in the lab with agents that call them.
package ocftools
