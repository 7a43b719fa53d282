# What cannot be stopped inside of a container is stopped with the container.
node a b
option fencing-enabled false
primitive box
primitive web container=box
locate box a 5
run
fail web a stop 1
plan
----
stop box on a: it failed: web in it: stop on a: error
start box on a: it has the best score, 5
    after stop box on a
start web on a: it is the only node that may run it
    after start box on a
# box is restarted on a: it failed: web in it: stop on a: error
# web starts on a: it is the only node that may run it
