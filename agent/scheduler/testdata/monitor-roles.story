# A monitor of the role Started is for nothing that can be promoted, one without a role for what is not promoted.
node a b
option fencing-enabled false
primitive log op.monitor=10s//Started op.monitor=11s op.monitor=12s//Promoted op.monitor=13s//Unpromoted
clone logs log promotable=true
score a log 5
run
plan
----
nothing to do
# log:0 stays on a: it has the best score, 6
# log:1 stays on b: it is the only node that may run it

score a log -1
score b log 5
plan
----
demote log:0 on a: it does not stay in this role here
    after cancel log:0 every 12000ms on a
monitor log:0 every 11000ms on a: it is not monitored yet
    after demote log:0 on a
monitor log:0 every 13000ms on a: it is not monitored yet
    after demote log:0 on a
cancel log:0 every 12000ms on a: it is not promoted any more
promote log:1 on b: it is to be promoted here
    after cancel log:1 every 11000ms on b
    after cancel log:1 every 13000ms on b
    after demote log:0 on a
monitor log:1 every 12000ms on b: it is not monitored yet
    after promote log:1 on b
cancel log:1 every 11000ms on b: it is not wanted any more
cancel log:1 every 13000ms on b: it is not wanted any more
# log:0 is demoted on a
# log:1 is promoted on b
