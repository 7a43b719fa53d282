# Where nodes have capacity, what is placed first matters: of two that are alike, the one that can go to more of the nodes.
# What must be with something can go only where that can: nothing can go to a node in standby.
node a b c
option fencing-enabled false
option placement-strategy balanced
standby c on
primitive vm
primitive disk
clone disks disk
colocate vm disks INFINITY
primitive free
plan
----
monitor vm on a: its state there is not known
monitor disk:0 on a: its state there is not known
monitor free on a: its state there is not known
monitor vm on b: its state there is not known
monitor disk:1 on b: its state there is not known
monitor free on b: its state there is not known
monitor vm on c: its state there is not known
monitor disk:0 on c: its state there is not known
monitor free on c: its state there is not known
start vm on b: no node is preferred, and it is the least loaded
    after monitor vm on a
    after monitor vm on b
    after monitor vm on c
start disk:0 on a: no node is preferred, and it is the least loaded
    after monitor disk:0 on a
    after monitor disk:0 on c
    after monitor disk:1 on b
start disk:1 on b: it is the only node that may run it
    after monitor disk:0 on a
    after monitor disk:0 on c
    after monitor disk:1 on b
start free on a: no node is preferred, and it is the least loaded
    after monitor free on a
    after monitor free on b
    after monitor free on c
# nothing is placed on c: it is in standby
# vm starts on b: no node is preferred, and it is the least loaded
# vm cannot run on c: constraint c-vm-disks wants it with disks
# disk:0 starts on a: no node is preferred, and it is the least loaded
# disk:1 starts on b: it is the only node that may run it
# disk:2 is not running: no node may run it (a: another instance has its place there; b: another instance has its place there; c: it is in standby)
# free starts on a: no node is preferred, and it is the least loaded
