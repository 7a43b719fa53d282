# What the agent can take over is reloaded: of what it listed as needing a restart, nothing has changed.
node a
option fencing-enabled false
primitive web
history web a start 0 digest=old restart=f2317cad3d54cec5d7d7aa7d0bf35cf8/port
param web level=2
plan
----
reload-agent web on a: its parameters were changed
# web stays on a: it is the only node that may run it

# Something of the list has changed as well: a restart takes all of it over.
param web port=80
plan
----
stop web on a: its parameters were changed
start web on a: it is the only node that may run it
    after stop web on a
# web is restarted on a: its parameters were changed
