# A promoted instance that failed and was demoted has still failed: if a new plan is made in between, it is restarted all the
# same. Where a demotion is all that its failure calls for, it is healed.
node a b
option fencing-enabled false
primitive db op.monitor=10s//Promoted op.monitor=11s
primitive ip op.monitor=10s/demote/Promoted op.monitor=11s
clone dbs db promotable=true
clone ips ip promotable=true
score a db 10
score a ip 10
run
fail db a monitor:10000 1
history db a demote 0
fail ip a monitor:10000 1
history ip a demote 0
plan
----
stop db:0 on a: it failed: monitor on a: error
start db:0 on a: it is the only node that may run it
    after stop db:0 on a
promote db:0 on a: it is to be promoted here
    after start db:0 on a
    after stop db:0 on a
monitor db:0 every 10000ms on a: it is not monitored yet
    after promote db:0 on a
    after start db:0 on a
    after stop db:0 on a
promote ip:0 on a: it is to be promoted here
monitor ip:0 every 10000ms on a: it is not monitored yet
    after promote ip:0 on a
# db:0 is restarted on a: it failed: monitor on a: error
# db:1 stays on b: it has the best score, 1
# ip:0 is promoted on a
# ip:1 stays on b: it is the only node that may run it
