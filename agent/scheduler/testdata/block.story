# A failure with on-fail=block leaves the resource as it is, and says so until somebody looks after it.
node a
option fencing-enabled false
primitive web op.monitor=10s/block
run
fail web a monitor:10000 7
plan
----
nothing to do
blocked: stop web on a: it failed, and is left as it is: monitor on a: not running
# web is left as it is on a: monitor on a: not running; clean up the failure once the cause is gone
