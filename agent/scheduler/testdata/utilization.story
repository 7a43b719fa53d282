# Instances of a clone stay only where there is room for them: what is more important takes it first.
node a b
option fencing-enabled false
option placement-strategy utilization
capacity a memory 10
capacity b memory 10
primitive small needs.memory=5
clone smalls small
run
primitive big needs.memory=10 priority=1
plan
----
monitor big on a: its state there is not known
monitor big on b: its state there is not known
start big on a: no node is preferred, and it is the least loaded
    after monitor big on a
    after monitor big on b
    after stop small:0 on a
stop small:0 on a: no node may run it (a: it has not enough room left; b: another instance has its place there)
# small:0 stops on a: no node may run it (a: it has not enough room left; b: another instance has its place there)
# small:1 stays on b: it has the best score, 1
# big starts on a: no node is preferred, and it is the least loaded
