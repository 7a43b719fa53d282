node a b
option fencing-enabled false
primitive web
primitive idle target-role=Stopped
run
quorum no
plan
----
stop web on a: there is no quorum
blocked: start web on a: there is no quorum
# web stops on a: there is no quorum
# idle is not running: its target-role is Stopped

option no-quorum-policy freeze
meta idle target-role=Started
plan
----
nothing to do
blocked: start idle on b: there is no quorum, and no-quorum-policy is freeze
# web stays on a: no node is preferred, and it is the least loaded
# idle should start on b but cannot: there is no quorum, and no-quorum-policy is freeze
