# What is not managed takes its room where it is, and is reckoned with before anything is placed there that has lost its node.
node a b c
option placement-strategy utilization
capacity a cpu 2
capacity b cpu 2
capacity c cpu 2
primitive power class=stonith resource-stickiness=1
primitive first needs.cpu=1 is-managed=false resource-stickiness=1
primitive second needs.cpu=1 resource-stickiness=1
primitive third needs.cpu=1 resource-stickiness=1
history first b start 0
history third b start 0
history second a start 0
history power a start 0
lose a
plan
----
reboot  on a: peer is no longer part of the cluster
monitor power on b: its state there is not known
monitor second on b: its state there is not known
monitor power on c: its state there is not known
monitor first on c: its state there is not known
monitor second on c: its state there is not known
monitor third on c: its state there is not known
start power on c: no node is preferred, and it is the least loaded
    after monitor power on b
    after monitor power on c
start second on c: no node is preferred, and it is the least loaded
    after monitor second on b
    after monitor second on c
    after reboot  on a
# nothing is placed on a: its state is unknown (peer is no longer part of the cluster)
# power moves from a to c: a cannot be used: its state is unknown (peer is no longer part of the cluster)
# first is left as it is on b: it is not managed
# second moves from a to c: a cannot be used: its state is unknown (peer is no longer part of the cluster)
# third stays on b: it has the best score, 1
