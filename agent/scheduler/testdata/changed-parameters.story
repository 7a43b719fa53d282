# A parameter that was not there before: the agent was never asked what it can reload, so it is restarted.
node a
option fencing-enabled false
primitive web op.monitor=10s
run
param web port=80
plan
----
stop web on a: its parameters were changed
start web on a: it is the only node that may run it
    after stop web on a
monitor web every 10000ms on a
    after start web on a
    after stop web on a
# web is restarted on a: its parameters were changed
