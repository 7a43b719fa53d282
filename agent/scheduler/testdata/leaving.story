node a b
option fencing-enabled false
primitive web resource-stickiness=1
locate web a 5
run
leave a
plan
----
stop web on a: it moves to b
start web on b: it is the only node that may run it
    after stop web on a
do_shutdown  on a: a asked to leave
    after stop web on a
# nothing is placed on a: it asked to leave
# web moves from a to b: a cannot be used: it asked to leave
