# A clone that was globally unique once: each node remembers both numbers. The second of them on one node is one too many,
# and the others are told of it.
node a b
option fencing-enabled false
primitive web
clone webs web clone-max=2 notify=true
history web:0 a start 0
history web:1 a monitor 7
history web:1 b start 0
standby b on
details
----
stop web:1 on b
notify(pre-stop) web:0 on a
    active [[web:0 a] [web:1 b]]
    available_nodes [a b]
    inactive [web:2]
    stop [[web:1 b]]
notify(post-stop) web:0 on a
    active [[web:0 a] [web:1 b]]
    available_nodes [a b]
    inactive [web:2]
    stop [[web:1 b]]
notify(pre-stop) web:1 on b
    active [[web:0 a] [web:1 b]]
    available_nodes [a b]
    inactive [web:2]
    stop [[web:1 b]]

# What is one too many and active is stopped.
history web:1 a start 0
standby b off
plan
----
stop web:2 on a: the clone has its full number of instances
    after notify(pre-stop) web:0 on a
    after notify(pre-stop) web:1 on b
    after notify(pre-stop) web:2 on a
notify(pre-stop) web:0 on a: instances of webs are told of each other
notify(post-stop) web:0 on a: instances of webs are told of each other
    after notify(pre-stop) web:0 on a
    after notify(pre-stop) web:1 on b
    after notify(pre-stop) web:2 on a
    after stop web:2 on a
notify(pre-stop) web:1 on b: instances of webs are told of each other
notify(post-stop) web:1 on b: instances of webs are told of each other
    after notify(pre-stop) web:0 on a
    after notify(pre-stop) web:1 on b
    after notify(pre-stop) web:2 on a
    after stop web:2 on a
notify(pre-stop) web:2 on a: instances of webs are told of each other
# web:0 stays on a: it is the only node that may run it
# web:1 stays on b: it has the best score, 1
# web:2 stops on a: the clone has its full number of instances
