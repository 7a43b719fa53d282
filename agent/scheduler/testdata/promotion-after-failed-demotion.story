# What could not be demoted may still be promoted: nothing is promoted in its place before it is stopped, also where another
# instance can not be stopped now.
node a b c
primitive fence class=stonith
primitive db
clone dbs db promotable=true
score a db 30
score b db 20
score c db 10
locate fence c 10
run
plan
----
nothing to do
# fence stays on c: it has the best score, 10
# db:0 stays on a: it has the best score, 31
# db:1 stays on b: it has the best score, 21
# db:2 stays on c: it is the only node that may run it

fail db a demote 1
fail db b monitor 1
standby a on
pending b
plan
----
stop db:0 on a: no node may run it (a: it is in standby; b: it is still joining; c: another instance has its place there)
promote db:2 on c: it is to be promoted here
    after stop db:0 on a
blocked: stop db:1 on b: b is still joining
# nothing is placed on a: it is in standby
# nothing is placed on b: it is still joining
# fence stays on c: it is the only node that may run it
# db:0 stops on a: no node may run it (a: it is in standby; b: it is still joining; c: another instance has its place there)
# db:1 stops on b: no node may run it (a: it is in standby; b: it is still joining; c: another instance has its place there)
# db:2 is promoted on c

# Where it is out of reach itself, nothing is promoted at all.
join b
standby a off
pending a
plan
----
stop db:1 on b: it failed: monitor on b: error
start db:1 on b: it is the only node that may run it
    after stop db:1 on b
blocked: stop db:0 on a: a is still joining
# nothing is placed on a: it is still joining
# fence stays on c: it has the best score, 10
# db:0 stops on a: no node may run it (a: it is still joining; b: another instance has its place there; c: another instance has its place there)
# db:1 is restarted on b: it failed: monitor on b: error
# db:2 stays on c: it has the best score, 11
