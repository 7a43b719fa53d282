# A remote node is reached through a connection, which is a resource of its own.
node a b
primitive fence class=stonith
remote far op.monitor=20s
primitive web op.monitor=10s
locate far a 10
locate web far 100
run
plan
----
nothing to do
# fence stays on b: no node is preferred, and it is the least loaded
# far stays on a: it has the best score, 10
# web stays on far: it has the best score, 100

# Its loss calls for fencing. With a reconnect_interval it is left alone for that time: what ran there runs elsewhere.
param far reconnect_interval=60s
run
fail far a monitor:20000 1
plan
----
reboot  on far: remote connection is unrecoverable
stop far on a: it was lost, and reconnect_interval has not passed
start web on a: no node is preferred, and it is the least loaded
    after reboot  on far
monitor web every 10000ms on a: it is not monitored yet
    after reboot  on far
    after start web on a
# nothing is placed on far: its state is unknown (remote connection is unrecoverable)
# fence stays on b: no node is preferred, and it is the least loaded
# far stops on a: it was lost, and reconnect_interval has not passed
# web moves from far to a: far cannot be used: its state is unknown (remote connection is unrecoverable)
again in 1m1s

# It has been fenced, but the time is not over.
run
plan
----
nothing to do
# nothing is placed on far: it is offline
# fence stays on b: no node is preferred, and it is the least loaded
# far is not running: it was lost, and reconnect_interval has not passed
# web stays on a: no node is preferred, and it is the least loaded
again in 1m1s

# Now it is.
after 2m
plan
----
monitor web on far: its state there is not known
    after start far on a
start far on a: it has the best score, 10
monitor far every 20000ms on a: it is not monitored yet
    after start far on a
clear_failcount far on a: the failures of far on a have expired
stop web on a: it moves to far
    after start far on a
start web on far: it has the best score, 100
    after monitor web on far
    after start far on a
    after stop web on a
monitor web every 10000ms on far: it is not monitored yet
    after start far on a
    after start web on far
    after stop web on a
# fence stays on b: no node is preferred, and it is the least loaded
# far starts on a: it has the best score, 10
# web moves from a to far: far scores 100, a 0
