# What starts after a promotion does not start where nothing is promoted: after a clone of a group, and instance by instance.
node a b
option fencing-enabled false
primitive db
primitive log
primitive web
primitive near
group server db log
clone servers server promotable=true
clone nears near interleave=true
order servers:promote web
order servers:promote nears
run
plan
----
nothing to do
blocked: start web on a: servers promoted cannot be done: too few instances can run
blocked: start near:0 on b: no instance of servers is going to be promoted on b
blocked: start near:1 on a: no instance of servers is going to be promoted on a
# web should start on a but cannot: servers promoted cannot be done: too few instances can run
# db:0 stays on a: it has the best score, 2
# log:0 stays on a: it is the only node that may run it
# db:1 stays on b: it is the only node that may run it
# log:1 stays on b: it is the only node that may run it
# near:0 should start on b but cannot: no instance of servers is going to be promoted on b
# near:1 should start on a but cannot: no instance of servers is going to be promoted on a

# Once there is one, all that waited for it starts.
score a db 10
score a log 10
plan
----
start web on a: no node is preferred, and it is the least loaded
    after promote db:0 on a
    after promote log:0 on a
promote db:0 on a: it is to be promoted here
promote log:0 on a: it is to be promoted here
    after promote db:0 on a
start near:1 on a: it is the only node that may run it
    after promote db:0 on a
    after promote log:0 on a
blocked: start near:0 on b: no instance of servers is going to be promoted on b
# web starts on a: no node is preferred, and it is the least loaded
# db:0 is promoted on a
# log:0 is promoted on a
# db:1 stays on b: it is the only node that may run it
# log:1 stays on b: it is the only node that may run it
# near:0 should start on b but cannot: no instance of servers is going to be promoted on b
# near:1 starts on a: it is the only node that may run it
