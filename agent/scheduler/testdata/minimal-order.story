# Groups are placed by what all their members prefer, and "minimal" fills nodes by their names, whether anything runs there or not.
node a b
option fencing-enabled false
option placement-strategy minimal
capacity a cpu 2
capacity b cpu 2
primitive alone
primitive first resource-stickiness=1
primitive second resource-stickiness=1
group pair first second
primitive other resource-stickiness=1 needs.cpu=1
history alone b start 0
history first b start 0
history second b start 0
history other b start 0
plan
----
monitor alone on a: its state there is not known
monitor first on a: its state there is not known
monitor second on a: its state there is not known
monitor other on a: its state there is not known
stop alone on b: it moves to a
start alone on a: no node is preferred, and it is the least loaded
    after monitor alone on a
    after stop alone on b
# alone moves from b to a: a scores 0, b 0
# first stays on b: it has the best score, 2
# second stays on b: it is the only node that may run it
# other stays on b: it has the best score, 1
