node a b
option fencing-enabled false
primitive web
locate web a 100
fail web a start 1
plan
----
monitor web on b: its state there is not known
stop web on a: it moves to b
start web on b: it is the only node that may run it
    after monitor web on b
    after stop web on a
# web moves from a to b: a is closed to it: it failed there, and is not tried again before a cleanup
# web cannot run on a: it failed there, and is not tried again before a cleanup
