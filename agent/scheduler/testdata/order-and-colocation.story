node a b
option fencing-enabled false
primitive db resource-stickiness=10
primitive app
primitive far
order db app
colocate app db INFINITY
colocate far db -INFINITY
locate db b 100
run
plan
----
nothing to do
# db stays on b: it has the best score, 110
# app stays on b: it is the only node that may run it
# far stays on a: it is the only node that may run it

# app follows db, far makes room.
standby b on
plan
----
stop db on b: it moves to a
    after stop app on b
start db on a: it is the only node that may run it
    after stop db on b
    after stop far on a
stop app on b: it moves to a
start app on a: it is the only node that may run it
    after start db on a
    after stop app on b
stop far on a: no node may run it (a: constraint c-far-db keeps it apart from db, which is placed there; b: it is in standby)
# nothing is placed on b: it is in standby
# db moves from b to a: b cannot be used: it is in standby
# app moves from b to a: b cannot be used: it is in standby
# far stops on a: no node may run it (a: constraint c-far-db keeps it apart from db, which is placed there; b: it is in standby)
