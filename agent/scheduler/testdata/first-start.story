node a b
option fencing-enabled false
primitive ip op.monitor=10s
primitive web
group service ip web
plan
----
monitor ip on a: its state there is not known
monitor web on a: its state there is not known
monitor ip on b: its state there is not known
monitor web on b: its state there is not known
start ip on a: no node is preferred, and it is the least loaded
    after monitor ip on a
    after monitor ip on b
monitor ip every 10000ms on a: it is not monitored yet
    after start ip on a
start web on a: it is the only node that may run it
    after monitor web on a
    after monitor web on b
    after start ip on a
# ip starts on a: no node is preferred, and it is the least loaded
# web starts on a: it is the only node that may run it

run
plan
----
nothing to do
# ip stays on a: no node is preferred, and it is the least loaded
# web stays on a: it is the only node that may run it
