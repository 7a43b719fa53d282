node a b
option fencing-enabled false
primitive web op.monitor=10s migration-threshold=2 failure-timeout=1m resource-stickiness=10
locate web a 5
run
fail web a monitor:10000 7
plan
----
stop web on a: it failed: monitor on a: not running
start web on a: it has the best score, 15
    after stop web on a
monitor web every 10000ms on a
    after start web on a
    after stop web on a
# web is restarted on a: it failed: monitor on a: not running
again in 1m1s

# The failure is forgotten when its time is over.
run
after 2m
plan
----
clear_failcount web on a: the failures of web on a have expired
# web stays on a: it has the best score, 15
