# What is no longer configured is stopped and forgotten, its failures first, and on every node.
node a b
option fencing-enabled false
fail ip b monitor:10000 1
history ip b stop 0
history ip a start 0
fail ip a monitor:10000 1
plan
----
stop ip on a: it is no longer configured
    after clear_failcount ip on a
    after clear_failcount ip on b
clear_failcount ip on a: it is no longer configured
clear_failcount ip on b: it is no longer configured
delete ip on a: it is no longer configured
    after stop ip on a
delete ip on b: it is no longer configured
# ip stops on a: it is no longer configured

# Numbered instances of a clone that is gone are things of their own.
do
history db:0 a stop 0
history db:1 a stop 0
history db:1 b stop 0
plan
----
delete db:0 on a: it is no longer configured
delete db:1 on a: it is no longer configured
delete db:1 on b: it is no longer configured
# db:0 is not running: it is no longer configured
# db:1 is not running: it is no longer configured
