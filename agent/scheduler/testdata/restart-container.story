# What fails inside of a container is restarted with the container, if that is asked for and there is one.
node a
option fencing-enabled false
primitive box
primitive web container=box op.monitor=10s/restart-container
primitive alone op.monitor=10s/restart-container
run
fail web a monitor:10000 7
fail alone a monitor:10000 7
plan
----
stop box on a: it failed: web in it: monitor on a: not running
    after stop web on a
start box on a: it is the only node that may run it
    after stop box on a
stop web on a: it failed: monitor on a: not running
start web on a: it is the only node that may run it
    after start box on a
    after stop web on a
monitor web every 10000ms on a
    after start web on a
    after stop web on a
stop alone on a: it failed: monitor on a: not running
start alone on a: it is the only node that may run it
    after stop alone on a
monitor alone every 10000ms on a
    after start alone on a
    after stop alone on a
# box is restarted on a: it failed: web in it: monitor on a: not running
# web is restarted on a: it failed: monitor on a: not running
# alone is restarted on a: it failed: monitor on a: not running
problem: resource alone: on-fail=restart-container of monitor is for what runs in a container (meta attribute container), and this runs in none; its default is used
