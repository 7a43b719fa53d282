# A connection that could not be made has lost nothing: it is tried again, and nobody is fenced for it.
node a b
primitive fence class=stonith
remote far op.monitor=20s migration-threshold=3
locate far a 10
run
fail far a start 1
plan
----
stop fence on b: it moves to a
start fence on a: no node is preferred, and it is the least loaded
    after stop fence on b
stop far on a: it moves to b
start far on b: it is the only node that may run it
    after stop far on a
monitor far every 20000ms on b: it is not monitored yet
    after start far on b
    after stop far on a
# fence moves from b to a: a scores 0, b 0
# far moves from a to b: a is closed to it: it failed there, and is not tried again before a cleanup
# far cannot run on a: it failed there, and is not tried again before a cleanup
