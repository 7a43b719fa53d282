# A node that asks to leave is not let go while something managed cannot be stopped there: it would be fenced for it as soon as it is gone.
# What is not managed keeps nobody.
node a b
primitive power class=stonith
primitive first
primitive second is-managed=false
group pair first second
history power b start 0
history first a start 0
history second a start 0
leave a
plan
----
monitor power on a: its state there is not known
monitor first on b: its state there is not known
monitor second on b: its state there is not known
blocked: stop first on a: second is not managed
blocked: start first on b: first stop cannot be done: second is not managed
# nothing is placed on a: it asked to leave
# power stays on b: it is the only node that may run it
# first should move from a to b (a cannot be used: it asked to leave) but cannot start there: first stop cannot be done: second is not managed
# second is left as it is on a: it is not managed

meta second is-managed=true
plan
----
monitor power on a: its state there is not known
monitor first on b: its state there is not known
monitor second on b: its state there is not known
stop first on a: it moves to b
    after monitor second on b
    after stop second on a
start first on b: it is the only node that may run it
    after monitor first on b
    after monitor second on b
    after stop first on a
    after stop second on a
stop second on a: it moves to b
    after monitor first on b
start second on b: it is the only node that may run it
    after monitor first on b
    after monitor second on b
    after start first on b
    after stop first on a
    after stop second on a
do_shutdown  on a: a asked to leave
    after stop first on a
    after stop second on a
# nothing is placed on a: it asked to leave
# power stays on b: it is the only node that may run it
# first moves from a to b: a cannot be used: it asked to leave
# second moves from a to b: a cannot be used: it asked to leave

meta second is-managed=false
meta first is-managed=false
plan
----
monitor power on a: its state there is not known
monitor first on b: its state there is not known
monitor second on b: its state there is not known
do_shutdown  on a: a asked to leave
# nothing is placed on a: it asked to leave
# power stays on b: it is the only node that may run it
# first is left as it is on a: it is not managed
# second is left as it is on a: it is not managed
