# The first failure is recovered from at once.
node a
option fencing-enabled false
primitive web op.monitor=10s failure-backoff=4s failure-backoff-max=10s
run
fail web a monitor:10000 7
plan
do
----
stop web on a: it failed: monitor on a: not running
start web on a: it is the only node that may run it
    after stop web on a
monitor web every 10000ms on a
    after start web on a
    after stop web on a
# web is restarted on a: it failed: monitor on a: not running

# The second has a pause, for which the stop does not wait.
fail web a monitor:10000 7
count web a monitor_10000 2
plan
do
after 3s
plan
----
stop web on a: it failed: monitor on a: not running
blocked: start web on a: it failed on a 2 times: it is tried again at 13:46:44 (failure-backoff)
# web stops on a: it failed on a 2 times: it is tried again at 13:46:44 (failure-backoff)
again in 4s
nothing to do
blocked: start web on a: it failed on a 2 times: it is tried again at 13:46:44 (failure-backoff)
# web should start on a but cannot: it failed on a 2 times: it is tried again at 13:46:44 (failure-backoff)
again in 1s

# When it has passed the resource is tried again.
after 1s
plan
do
----
start web on a: it is the only node that may run it
monitor web every 10000ms on a: it is not monitored yet
    after start web on a
# web starts on a: it is the only node that may run it

# What ran for longer than its pause has served it.
after 8s
fail web a monitor:10000 7
count web a monitor_10000 3
plan
do
----
stop web on a: it failed: monitor on a: not running
start web on a: it is the only node that may run it
    after stop web on a
monitor web every 10000ms on a
    after start web on a
    after stop web on a
# web is restarted on a: it failed: monitor on a: not running

# However often it fails, the pause grows to its most and no further.
fail web a monitor:10000 7
count web a monitor_10000 30
plan
do
after 10s
plan
----
stop web on a: it failed: monitor on a: not running
blocked: start web on a: it failed on a 30 times: it is tried again at 13:47:02 (failure-backoff)
# web stops on a: it failed on a 30 times: it is tried again at 13:47:02 (failure-backoff)
again in 10s
start web on a: it is the only node that may run it
monitor web every 10000ms on a: it is not monitored yet
    after start web on a
# web starts on a: it is the only node that may run it

# A cleanup ends it.
fail web a monitor:10000 7
count web a monitor_10000 0
plan
----
stop web on a: it failed: monitor on a: not running
start web on a: it is the only node that may run it
    after stop web on a
monitor web every 10000ms on a: it is not monitored yet
    after start web on a
    after stop web on a
# web is restarted on a: it failed: monitor on a: not running
