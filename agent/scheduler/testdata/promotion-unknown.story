# What may be promoted on a node that is alive and can not be asked yet keeps others from being promoted; what is promoted
# stays so.
node a b c
primitive fence class=stonith
primitive other
primitive db op.monitor=10s
clone dbs db promotable=true
history db:0 a start 0
history db:0 a monitor:10000 0
history db:2 c start 0
history db:2 c monitor:10000 0
history other b start 0
score a db 5
score c db 3
history fence a start 0
history fence b monitor 7
history fence c monitor 7
history other c monitor 7
history other a monitor 7
pending b
plan
----
monitor db:0 every 10000ms on a: its parameters were changed
monitor db:1 every 10000ms on c: its parameters were changed
blocked: stop other on b: b is still joining
blocked: start other on c: other stop cannot be done: b is still joining
# nothing is placed on b: it is still joining
# fence stays on a: no node is preferred, and it is the least loaded
# other should move from b to c (b cannot be used: it is still joining) but cannot start there: other stop cannot be done: b is still joining
# db:0 stays on a: it has the best score, 6
# db:1 stays on c: it is the only node that may run it
# db:2 is not running: no node may run it (a: another instance has its place there; b: it is still joining; c: another instance has its place there)
