node a b
option fencing-enabled false
primitive web op.monitor=10s
run
maintenance a on
fail web a monitor:10000 7
plan
----
cancel web every 10000ms on a: it is in maintenance
# nothing is placed on a: it is in maintenance: what runs there is left alone
# web is left as it is on a: it is not managed

maintenance a off
plan
----
stop web on a: it failed: monitor on a: not running
start web on a: no node is preferred, and it is the least loaded
    after stop web on a
monitor web every 10000ms on a
    after start web on a
    after stop web on a
# web is restarted on a: it failed: monitor on a: not running
