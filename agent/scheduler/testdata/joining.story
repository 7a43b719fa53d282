# What may run on a node that is still joining is not started elsewhere.
node a b
pending b
primitive web
plan
----
monitor web on a: its state there is not known
blocked: start web on a: web monitor cannot be done: b is still joining
# nothing is placed on b: it is still joining
# web should start on a but cannot: web monitor cannot be done: b is still joining

join b
plan
----
monitor web on a: its state there is not known
monitor web on b: its state there is not known
start web on a: no node is preferred, and it is the least loaded
    after monitor web on a
    after monitor web on b
# web starts on a: no node is preferred, and it is the least loaded
