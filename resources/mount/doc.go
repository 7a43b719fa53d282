// Package mount is the native agent ocf:paceline:mount: it mounts file systems by mount(2), never by the mount command.
//
// Guarantees: start is done when the folder has that device mounted, and fails if it has another; stop is done when the
// folder has nothing mounted and, for a block device, when no other mount namespace of this node holds it either, for then it
// could be mounted elsewhere while it is still written here; processes that keep it busy are found exactly (by the mount that
// their files are on, not by names) and ended only as far as force_unmount allows; nothing is unmounted lazily. That the
// mount goes away is seen at once, by the kernel's mount table.
//
// Tested in a mount namespace of its own with tmpfs, bind mounts, and a loop device where the machine gives one.
package mount
