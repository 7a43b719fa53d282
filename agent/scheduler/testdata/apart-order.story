# What must not share a node with a group waits for all of the group to have stopped, and for all of its probes.
node a b c
option fencing-enabled false
primitive x
primitive g
primitive h
group both g h
colocate both x -INFINITY
locate x c 100
locate both a 100
plan
----
monitor x on a: its state there is not known
monitor g on a: its state there is not known
monitor h on a: its state there is not known
monitor x on b: its state there is not known
monitor g on b: its state there is not known
monitor h on b: its state there is not known
monitor x on c: its state there is not known
monitor g on c: its state there is not known
monitor h on c: its state there is not known
start x on c: it has the best score, 100
    after monitor x on a
    after monitor x on b
    after monitor x on c
start g on a: it has the best score, 100
    after monitor g on a
    after monitor g on b
    after monitor g on c
    after monitor x on a
    after monitor x on b
    after monitor x on c
start h on a: it is the only node that may run it
    after monitor h on a
    after monitor h on b
    after monitor h on c
    after monitor x on a
    after monitor x on b
    after monitor x on c
    after start g on a
# x starts on c: it has the best score, 100
# g starts on a: it has the best score, 100
# h starts on a: it is the only node that may run it

do
locate both b 1000
locate x a 1000
plan
----
stop x on c: it moves to a
start x on a: it has the best score, 900
    after stop g on a
    after stop h on a
    after stop x on c
stop g on a: it moves to b
    after stop h on a
start g on b: it has the best score, 1000
    after stop g on a
    after stop h on a
    after stop x on c
stop h on a: it moves to b
start h on b: it is the only node that may run it
    after start g on b
    after stop g on a
    after stop h on a
    after stop x on c
# x moves from c to a: a scores 900, c 100
# g moves from a to b: the constraints give a the score -INFINITY
# h moves from a to b: the constraints give a the score -INFINITY
