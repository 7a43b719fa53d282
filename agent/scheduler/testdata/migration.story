node a b
option fencing-enabled false
primitive vm allow-migrate=true
locate vm a 100
run
locate vm b 200
plan
----
stop vm on a: it moves to b
    after migrate_from vm on b
migrate_from vm on b: it moves from a without being stopped
    after migrate_to vm on a
migrate_to vm on a: it moves to b without being stopped
# vm migrates live from a to b: b scores 200, a 100
