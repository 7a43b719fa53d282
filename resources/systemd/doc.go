// Package systemd runs the class "systemd": units as resources, over D-Bus, never by the systemctl command.
//
// Guarantees: start and stop wait for the unit's job and say in words how it ended; while the cluster has a unit, a drop-in
// below /run keeps systemd from restarting it by itself and orders it before the cluster manager, so that a shutdown of the
// machine stops resources in the cluster's order; a unit that is also enabled is warned about; the end of a unit is seen at
// once, by its properties; a restart of systemd itself (daemon-reexec) is survived.
//
// The drop-in stays after a stop, since writing it costs a reload of all units, and a start must be quick. A reboot removes it.
//
// Tested against a real systemd in namespaces of its own.
package systemd
