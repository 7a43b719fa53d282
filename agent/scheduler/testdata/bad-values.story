node a
option fencing-enabled perhaps
option no-quorum-policy sometimes
primitive web is-managed=maybe migration-threshold=few multiple-active=rarely
order web nobody
plan
----
monitor web on a: its state there is not known
start web on a: it is the only node that may run it
    after monitor web on a
# web starts on a: it is the only node that may run it
problem: cluster option fencing-enabled: "perhaps" is not a boolean: true and false are; true is used
problem: cluster option no-quorum-policy: "sometimes" is unknown; stop is used
problem: resource web: migration-threshold: "few" is not a score: an integer, INFINITY or -INFINITY is; 1000000 is used
problem: resource web: is-managed: "maybe" is not a boolean: true and false are; true is used
problem: resource web: multiple-active="rarely" is unknown; stop_start is used
problem: constraint o-web-nobody: there is no resource "nobody"; the constraint is ignored
