# Where nobody recorded with what parameters something was started, they count as changed.
node a
option fencing-enabled false
primitive web
history web a start 0 digest=
plan
----
stop web on a: nobody recorded with what parameters it was started
start web on a: it is the only node that may run it
    after stop web on a
# web is restarted on a: nobody recorded with what parameters it was started
