# Without fencing nothing can be done about a stop that fails: it is blocked, and said.
node a b
option fencing-enabled false
primitive web
primitive after
order web after
locate web a 100
run
fail web a stop 1
standby a on
plan
----
stop after on b: web start cannot be done: it is blocked by a failure: stop on a: error
blocked: start after on b: web start cannot be done: it is blocked by a failure: stop on a: error
blocked: stop web on a: it failed, and is left as it is: stop on a: error
# nothing is placed on a: it is in standby
# web is left as it is on a: stop on a: error; clean up the failure once the cause is gone
# after stops on b: web start cannot be done: it is blocked by a failure: stop on a: error

# With fencing, the node is fenced.
option fencing-enabled true
plan
----
reboot  on a: web failed there
start web on b: it is the only node that may run it
    after reboot  on a
    after stop after on b
stop after on b: web stops
start after on b: web starts
    after reboot  on a
    after start web on b
    after stop after on b
# nothing is placed on a: its state is unknown (web failed there)
# web moves from a to b: a cannot be used: its state is unknown (web failed there)
# after is restarted on b: web stops
