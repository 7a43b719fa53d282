# What wants to be with the promoted instance helps to choose it, and does not make one fit for it that is not.
node a b
option fencing-enabled false
primitive db
primitive web resource-stickiness=1000
clone dbs db promotable=true
colocate web dbs:Promoted 1000
locate web b 100
run
plan
----
nothing to do
# web stays on b: it has the best score, 1100
# db:0 stays on a: it has the best score, 1
# db:1 stays on b: it is the only node that may run it

score a db 5
score b db 5
plan
----
promote db:1 on b: it is to be promoted here
# web stays on b: it has the best score, 2100
# db:0 stays on a: it has the best score, 6
# db:1 is promoted on b
