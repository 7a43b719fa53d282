# A device that gives nodes access is changed: what has access through it stops, gets access again, and starts.
node a
option fencing-enabled true
primitive scsi class=stonith provides=unfencing
primitive disk requires=unfencing
run
param scsi key=7
plan
----
on  on a: the definition of scsi was changed
    after stop disk on a
stop scsi on a: its parameters were changed
start scsi on a: it is the only node that may run it
    after on  on a
    after stop scsi on a
stop disk on a: a is unfenced
start disk on a: a is unfenced
    after on  on a
    after stop disk on a
# scsi is restarted on a: its parameters were changed
# disk is restarted on a: a is unfenced
