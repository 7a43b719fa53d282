# A group goes where its first member must be. Where that is not managed, it stays, and those after it obey by themselves.
node a b
option fencing-enabled false
primitive disk
primitive db is-managed=false
primitive web
group site db web
history db a start 0
colocate site disk INFINITY
locate disk a -INFINITY
plan
----
monitor disk on a: its state there is not known
monitor web on a: its state there is not known
monitor disk on b: its state there is not known
monitor db on b: its state there is not known
monitor web on b: its state there is not known
start disk on b: it is the only node that may run it
    after monitor disk on a
    after monitor disk on b
# disk starts on b: it is the only node that may run it
# disk cannot run on a: constraint l-disk-a
# db is left as it is on a: it is not managed
# web is not running: no node may run it (a: constraint c-site-disk keeps it with disk, which is placed on b; b: db, before it in the group, is placed on a)

meta db is-managed=true
plan
----
monitor disk on a: its state there is not known
monitor web on a: its state there is not known
monitor disk on b: its state there is not known
monitor db on b: its state there is not known
monitor web on b: its state there is not known
start disk on b: it is the only node that may run it
    after monitor disk on a
    after monitor disk on b
stop db on a: it moves to b
    after monitor web on a
    after monitor web on b
start db on b: it is the only node that may run it
    after monitor db on b
    after monitor web on a
    after monitor web on b
    after stop db on a
start web on b: it is the only node that may run it
    after monitor db on b
    after monitor web on a
    after monitor web on b
    after start db on b
    after stop db on a
# disk starts on b: it is the only node that may run it
# disk cannot run on a: constraint l-disk-a
# db moves from a to b: the constraints give a the score -INFINITY
# web starts on b: it is the only node that may run it
