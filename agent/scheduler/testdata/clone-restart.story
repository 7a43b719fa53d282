# An instance that is started anew restarts what is ordered after its clone: all of another clone, and what is not spread
# only where it shares the node.
node a b c
option fencing-enabled false
primitive base op.monitor=10s
primitive front
primitive near
primitive far
clone bases base
clone fronts front
group wide far
order bases fronts
order bases near
order bases wide
locate near a 100
locate wide b 100
run
fail base a monitor:10000 7
plan
----
stop near on a: bases starts
start near on a: bases starts
    after start base:0 on a
    after stop base:0 on a
    after stop front:0 on a
    after stop front:1 on b
    after stop front:2 on c
    after stop near on a
stop base:0 on a: it failed: monitor on a: not running
    after stop front:0 on a
    after stop front:1 on b
    after stop front:2 on c
    after stop near on a
start base:0 on a: it is the only node that may run it
    after stop base:0 on a
    after stop front:0 on a
    after stop front:1 on b
    after stop front:2 on c
    after stop near on a
monitor base:0 every 10000ms on a
    after start base:0 on a
    after stop base:0 on a
stop front:0 on a: bases starts
start front:0 on a: bases starts
    after start base:0 on a
    after stop base:0 on a
    after stop front:0 on a
    after stop front:1 on b
    after stop front:2 on c
    after stop near on a
stop front:1 on b: bases starts
start front:1 on b: bases starts
    after start base:0 on a
    after stop base:0 on a
    after stop front:0 on a
    after stop front:1 on b
    after stop front:2 on c
    after stop near on a
stop front:2 on c: bases starts
start front:2 on c: bases starts
    after start base:0 on a
    after stop base:0 on a
    after stop front:0 on a
    after stop front:1 on b
    after stop front:2 on c
    after stop near on a
# near is restarted on a: bases starts
# base:0 is restarted on a: it failed: monitor on a: not running
# base:1 stays on b: it has the best score, 1
# base:2 stays on c: it has the best score, 1
# front:0 is restarted on a: bases starts
# front:1 is restarted on b: bases starts
# front:2 is restarted on c: bases starts
# far stays on b: it has the best score, 100

# One that only stops disturbs nothing.
run
locate bases c -INFINITY
plan
----
stop base:2 on c: no node may run it (a: another instance has its place there; b: another instance has its place there; c: constraint l-bases-c)
# near stays on a: it has the best score, 100
# base:0 stays on a: it has the best score, 1
# base:0 cannot run on c: constraint l-bases-c
# base:1 stays on b: it is the only node that may run it
# base:1 cannot run on c: constraint l-bases-c
# base:2 stops on c: no node may run it (a: another instance has its place there; b: another instance has its place there; c: constraint l-bases-c)
# base:2 cannot run on c: constraint l-bases-c
# front:0 stays on a: it has the best score, 1
# front:1 stays on b: it has the best score, 1
# front:2 stays on c: it is the only node that may run it
# far stays on b: it has the best score, 100
