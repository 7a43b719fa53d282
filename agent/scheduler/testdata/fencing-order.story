# Without concurrent fencing one node is fenced after the other: by name, n9 before n10.
node a n10 n9
option concurrent-fencing false
option no-quorum-policy ignore
primitive fence class=stonith
locate fence a 10
run
lose n9
lose n10
plan
----
reboot  on n10: peer is no longer part of the cluster
    after reboot  on n9
reboot  on n9: peer is no longer part of the cluster
# nothing is placed on n10: its state is unknown (peer is no longer part of the cluster)
# nothing is placed on n9: its state is unknown (peer is no longer part of the cluster)
# fence stays on a: it is the only node that may run it
