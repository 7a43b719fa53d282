# Instances of an ordered clone stop one after the other, the last one first; those that stay are passed over.
node a b c
option fencing-enabled false
primitive web
clone webs web ordered=true
run
standby a on
standby c on
plan
----
stop web:0 on a: no node may run it (a: it is in standby; b: another instance has its place there; c: it is in standby)
    after stop web:2 on c
stop web:2 on c: no node may run it (a: it is in standby; b: another instance has its place there; c: it is in standby)
# nothing is placed on a: it is in standby
# nothing is placed on c: it is in standby
# web:0 stops on a: no node may run it (a: it is in standby; b: another instance has its place there; c: it is in standby)
# web:1 stays on b: it is the only node that may run it
# web:2 stops on c: no node may run it (a: it is in standby; b: another instance has its place there; c: it is in standby)
