# The node that runs everything is lost: it is fenced before anything starts elsewhere.
node a b c
primitive power class=stonith
primitive ip
primitive web
group service ip web
locate service a 100
locate power b 100
run
lose a
plan
----
reboot  on a: peer is no longer part of the cluster
start ip on c: no node is preferred, and it is the least loaded
    after reboot  on a
start web on c: it is the only node that may run it
    after reboot  on a
    after start ip on c
# nothing is placed on a: its state is unknown (peer is no longer part of the cluster)
# power stays on b: it has the best score, 100
# ip moves from a to c: a cannot be used: its state is unknown (peer is no longer part of the cluster)
# web moves from a to c: a cannot be used: its state is unknown (peer is no longer part of the cluster)

# A partition without quorum fences nobody.
quorum no
plan
----
stop power on b: there is no quorum
blocked: start power on b: there is no quorum
blocked: stop ip on a: a must be fenced first, and cannot be: there is no quorum
blocked: start ip on c: there is no quorum
blocked: stop web on a: a must be fenced first, and cannot be: there is no quorum
blocked: start web on c: there is no quorum
# nothing is placed on a: its state is unknown (peer is no longer part of the cluster)
# power stops on b: there is no quorum
# ip should move from a to c (a cannot be used: its state is unknown (peer is no longer part of the cluster)) but cannot start there: there is no quorum
# web should move from a to c (a cannot be used: its state is unknown (peer is no longer part of the cluster)) but cannot start there: there is no quorum
