# Where one cannot look yet, something may be active: what runs nowhere else does not start.
node a b c
primitive fence class=stonith
primitive web
history fence a start 0
history fence b monitor 7
history web b monitor 7
pending c
plan
----
monitor web on a: its state there is not known
blocked: start web on b: web monitor cannot be done: c is still joining
# nothing is placed on c: it is still joining
# fence stays on a: no node is preferred, and it is the least loaded
# web should start on b but cannot: web monitor cannot be done: c is still joining

# What is active already stays, and moves.
do
history web a start 0
locate web b 10
plan
----
stop web on a: it moves to b
start web on b: it has the best score, 10
    after stop web on a
# nothing is placed on c: it is still joining
# fence stays on a: no node is preferred, and it is the least loaded
# web moves from a to b: b scores 10, a 0
