# What is said to run inside of a container that is a guest node runs in that guest, and nowhere else.
node a b
option fencing-enabled false
option symmetric-cluster false
primitive vm remote-node=guest
locate vm a 10
primitive web container=vm
locate web guest 1
locate web b 100
run
plan
----
nothing to do
# vm stays on a: it is the only node that may run it
# web stays on guest: it is the only node that may run it
# web cannot run on a: it runs inside of vm
# web cannot run on b: it runs inside of vm
# guest stays on a: it is the only node that may run it

# In a guest that is lost with its container nothing is looked for: it starts anew.
primitive other
locate other a 10
locate other guest 5
fail vm a monitor 1
plan
----
monitor other on a: its state there is not known
monitor other on b: its state there is not known
stop vm on a: it failed: monitor on a: error
    after stop guest on a
start vm on a: it is the only node that may run it
    after stop guest on a
    after stop vm on a
start web on guest: vm starts
    after start guest on a
    after start vm on a
    after stop vm on a
start other on a: it has the best score, 10
    after monitor other on a
    after monitor other on b
    after stop vm on a
stop guest on a: vm stops
start guest on a: vm starts
    after start vm on a
    after stop guest on a
    after stop vm on a
monitor guest every 30000ms on a: guest starts
    after start guest on a
    after stop guest on a
# vm is restarted on a: it failed: monitor on a: error
# web is restarted on guest: vm starts
# web cannot run on a: it runs inside of vm
# web cannot run on b: it runs inside of vm
# other starts on a: it has the best score, 10
# guest is restarted on a: vm stops
