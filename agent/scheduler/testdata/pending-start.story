# A start that is on its way cannot be told of new parameters by a reload: it is done again.
node a b
option fencing-enabled false
primitive db
param db size=2
history db a monitor 7
history db b start 193 status=-1 digest=changed restart=f2317cad3d54cec5d7d7aa7d0bf35cf8/file
plan
----
stop db on b: its parameters were changed
start db on b: no node is preferred, and it is the least loaded
    after stop db on b
# db is restarted on b: its parameters were changed
