# A failure counts for the parameters that it happened with. With new ones the resource is given another chance at once.
node a b
option fencing-enabled false
primitive web op.monitor=10s migration-threshold=1
locate web a 5
run
fail web a monitor:10000 1
param web port=80
plan
----
stop web on a: it failed: monitor on a: error
start web on a: it has the best score, 5
    after stop web on a
monitor web every 10000ms on a
    after start web on a
    after stop web on a
clear_failcount web on a: the parameters of web have changed since it failed
# web is restarted on a: it failed: monitor on a: error

# Where something else is changed the failure still counts, until it is cleared.
run
fail web a monitor:20000 1
plan
----
stop web on a: it moves to b
start web on b: it is the only node that may run it
    after stop web on a
monitor web every 10000ms on b: it is not monitored yet
    after start web on b
    after stop web on a
cancel web every 20000ms on a: it is not wanted any more
    after stop web on a
clear_failcount web on a: the definition of web has changed
# web moves from a to b: a is closed to it: it failed there 1 times (migration-threshold 1)
# web cannot run on a: it failed there 1 times (migration-threshold 1)

# What is not managed is left alone.
meta web is-managed=false
plan
----
cancel web every 20000ms on a: it is not wanted any more
# web is left as it is on a: it is not managed
