# A node is lost while a resource migrates away from it: the resource may have arrived, and is stopped at its target before
# it is started on a third node.
node d e f
option fencing-enabled true
primitive image allow-migrate=true
history image d start 0
history image e monitor 7
history image f monitor 7
history image d migrate_to 193 status=-1 target=e at=2
locate image f 5
lose d
plan
----
reboot  on d: peer is no longer part of the cluster
stop image on e: the remainder of a migration is there
start image on f: it has the best score, 5
    after reboot  on d
    after stop image on e
# nothing is placed on d: its state is unknown (peer is no longer part of the cluster)
# image moves from d to f: d cannot be used: its state is unknown (peer is no longer part of the cluster)
