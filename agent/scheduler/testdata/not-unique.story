# Agents that are not told which instance they are cannot be globally unique: one probe a node, any instance anywhere.
node a b c
option fencing-enabled false
primitive old class=lsb
clone olds old clone-max=2 globally-unique=true
plan
----
monitor old:0 on a: its state there is not known
monitor old:1 on b: its state there is not known
monitor old:0 on c: its state there is not known
start old:0 on a: no node is preferred, and it is the least loaded
    after monitor old:0 on a
    after monitor old:0 on c
    after monitor old:1 on b
start old:1 on b: no node is preferred, and it is the least loaded
    after monitor old:0 on a
    after monitor old:0 on c
    after monitor old:1 on b
# old:0 starts on a: no node is preferred, and it is the least loaded
# old:1 starts on b: no node is preferred, and it is the least loaded
problem: resource olds: instances of lsb agents cannot be told apart; globally-unique is ignored
