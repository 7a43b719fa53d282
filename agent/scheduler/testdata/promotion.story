node a b
option fencing-enabled false
primitive db op.monitor=10s
clone dbs db promotable=true notify=true
primitive ip
colocate ip dbs:Promoted INFINITY
order dbs:promote ip
score a db 10
score b db 5
run
plan
----
nothing to do
# db:0 stays on a: it has the best score, 11
# db:1 stays on b: it is the only node that may run it
# ip stays on a: it is the only node that may run it
# ip cannot run on b: constraint c-ip-dbs:Promoted wants it with dbs

# The better instance fails over to the other.
standby a on
plan
----
stop db:0 on a: no node may run it (a: it is in standby; b: another instance has its place there)
    after demote db:0 on a
    after notify(post-demote) db:0 on a
    after notify(post-demote) db:1 on b
    after notify(pre-demote) db:0 on a
    after notify(pre-demote) db:1 on b
    after notify(pre-stop) db:0 on a
    after notify(pre-stop) db:1 on b
    after stop ip on a
demote db:0 on a: no node may run it (a: it is in standby; b: another instance has its place there)
    after notify(pre-demote) db:0 on a
    after notify(pre-demote) db:1 on b
    after stop ip on a
promote db:1 on b: it is to be promoted here
    after cancel db:1 every 10000ms on b
    after demote db:0 on a
    after notify(post-demote) db:0 on a
    after notify(post-demote) db:1 on b
    after notify(post-stop) db:1 on b
    after notify(pre-demote) db:0 on a
    after notify(pre-demote) db:1 on b
    after notify(pre-promote) db:1 on b
    after notify(pre-stop) db:0 on a
    after notify(pre-stop) db:1 on b
    after stop db:0 on a
    after stop ip on a
cancel db:1 every 10000ms on b: it is not wanted any more
stop ip on a: it moves to b
start ip on b: it is the only node that may run it
    after demote db:0 on a
    after notify(post-demote) db:0 on a
    after notify(post-demote) db:1 on b
    after notify(post-promote) db:1 on b
    after notify(post-stop) db:1 on b
    after notify(pre-demote) db:0 on a
    after notify(pre-demote) db:1 on b
    after notify(pre-promote) db:1 on b
    after notify(pre-stop) db:0 on a
    after notify(pre-stop) db:1 on b
    after promote db:1 on b
    after stop db:0 on a
    after stop ip on a
notify(pre-demote) db:0 on a: instances of dbs are told of each other
notify(post-demote) db:0 on a: instances of dbs are told of each other
    after demote db:0 on a
    after notify(pre-demote) db:0 on a
    after notify(pre-demote) db:1 on b
    after stop ip on a
notify(pre-stop) db:0 on a: instances of dbs are told of each other
    after demote db:0 on a
    after notify(post-demote) db:0 on a
    after notify(post-demote) db:1 on b
    after notify(pre-demote) db:0 on a
    after notify(pre-demote) db:1 on b
    after stop ip on a
notify(pre-demote) db:1 on b: instances of dbs are told of each other
notify(post-demote) db:1 on b: instances of dbs are told of each other
    after demote db:0 on a
    after notify(pre-demote) db:0 on a
    after notify(pre-demote) db:1 on b
    after stop ip on a
notify(pre-stop) db:1 on b: instances of dbs are told of each other
    after demote db:0 on a
    after notify(post-demote) db:0 on a
    after notify(post-demote) db:1 on b
    after notify(pre-demote) db:0 on a
    after notify(pre-demote) db:1 on b
    after stop ip on a
notify(post-stop) db:1 on b: instances of dbs are told of each other
    after demote db:0 on a
    after notify(post-demote) db:0 on a
    after notify(post-demote) db:1 on b
    after notify(pre-demote) db:0 on a
    after notify(pre-demote) db:1 on b
    after notify(pre-stop) db:0 on a
    after notify(pre-stop) db:1 on b
    after stop db:0 on a
    after stop ip on a
notify(pre-promote) db:1 on b: instances of dbs are told of each other
    after demote db:0 on a
    after notify(post-demote) db:0 on a
    after notify(post-demote) db:1 on b
    after notify(post-stop) db:1 on b
    after notify(pre-demote) db:0 on a
    after notify(pre-demote) db:1 on b
    after notify(pre-stop) db:0 on a
    after notify(pre-stop) db:1 on b
    after stop db:0 on a
    after stop ip on a
notify(post-promote) db:1 on b: instances of dbs are told of each other
    after demote db:0 on a
    after notify(post-demote) db:0 on a
    after notify(post-demote) db:1 on b
    after notify(post-stop) db:1 on b
    after notify(pre-demote) db:0 on a
    after notify(pre-demote) db:1 on b
    after notify(pre-promote) db:1 on b
    after notify(pre-stop) db:0 on a
    after notify(pre-stop) db:1 on b
    after promote db:1 on b
    after stop db:0 on a
    after stop ip on a
# nothing is placed on a: it is in standby
# db:0 stops on a: no node may run it (a: it is in standby; b: another instance has its place there)
# db:1 is promoted on b
# ip moves from a to b: a cannot be used: it is in standby
# ip cannot run on a: constraint c-ip-dbs:Promoted wants it with dbs
