# Where a migration fails, the resource may be at its target too, if that was heard of last before. Where nothing was ever
# heard of it, a probe tells.
node d e f
option fencing-enabled false
primitive image allow-migrate=true
history image d start 0
history image e monitor 7
history image d migrate_to 1 target=e at=2
locate image d 5
plan
----
monitor image on f: its state there is not known
stop image on e: it moves to d
stop image on d: it failed: migrate_to on d: error
start image on d: it has the best score, 5
    after monitor image on f
    after stop image on d
    after stop image on e
# image is active on e and d at once; it is stopped everywhere and started once (multiple-active=stop_start)

# A later word from the target counts.
history image e monitor 7 at=3
plan
----
monitor image on f: its state there is not known
stop image on d: it failed: migrate_to on d: error
start image on d: it has the best score, 5
    after monitor image on f
    after stop image on d
# image is restarted on d: it failed: migrate_to on d: error
