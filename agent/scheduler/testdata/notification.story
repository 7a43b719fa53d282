# Nodes that are left out of the placement of a clone are not in the list of nodes it is available on.
node a b c
option fencing-enabled false
primitive web
clone webs web notify=true
discover webs a exclusive
discover webs b exclusive
details
----
monitor web:0 on a
monitor web:1 on b
start web:0 on a
start web:1 on b
notify(post-start) web:0 on a
    available_nodes [a b]
    inactive [web:0 web:1 web:2]
    start [[web:0 a] [web:1 b]]
notify(post-start) web:1 on b
    available_nodes [a b]
    inactive [web:0 web:1 web:2]
    start [[web:0 a] [web:1 b]]
