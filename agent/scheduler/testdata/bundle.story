# The containers of a bundle may run on remote nodes, where they are looked for too. Each is connected to from the cluster
# node that the remote node itself is connected to. The instances in them start one after the other.
node a b
option fencing-enabled false
remote far
locate far a 10
primitive web
bundle pod 3 web
plan
----
monitor far on a: its state there is not known
monitor pod-podman-0 on a: its state there is not known
monitor pod-0 on a: its state there is not known
    after start pod-podman-0 on b
monitor pod-podman-1 on a: its state there is not known
monitor pod-1 on a: its state there is not known
    after start pod-podman-1 on a
monitor pod-podman-2 on a: its state there is not known
monitor pod-2 on a: its state there is not known
    after start pod-podman-2 on far
monitor far on b: its state there is not known
monitor pod-podman-0 on b: its state there is not known
monitor pod-0 on b: its state there is not known
    after start pod-podman-0 on b
monitor pod-podman-1 on b: its state there is not known
monitor pod-1 on b: its state there is not known
    after start pod-podman-1 on a
monitor pod-podman-2 on b: its state there is not known
monitor pod-2 on b: its state there is not known
    after start pod-podman-2 on far
monitor pod-podman-0 on far: its state there is not known
    after start far on a
monitor pod-podman-1 on far: its state there is not known
    after start far on a
monitor pod-podman-2 on far: its state there is not known
    after start far on a
start far on a: it has the best score, 10
    after monitor far on a
    after monitor far on b
start pod-podman-0 on b: no node is preferred, and it is the least loaded
    after monitor pod-podman-0 on a
    after monitor pod-podman-0 on b
    after monitor pod-podman-0 on far
    after monitor pod-podman-1 on b
    after monitor pod-podman-2 on b
monitor pod-podman-0 every 60000ms on b: it is not monitored yet
    after start pod-podman-0 on b
start pod-0 on b: it has the best score, 10000
    after monitor pod-0 on a
    after monitor pod-0 on b
    after start pod-podman-0 on b
monitor pod-0 every 30000ms on b: it is not monitored yet
    after start pod-0 on b
start pod-podman-1 on a: it is the only node that may run it
    after monitor pod-podman-0 on a
    after monitor pod-podman-1 on a
    after monitor pod-podman-1 on b
    after monitor pod-podman-1 on far
    after monitor pod-podman-2 on a
monitor pod-podman-1 every 60000ms on a: it is not monitored yet
    after start pod-podman-1 on a
start pod-1 on a: it has the best score, 10000
    after monitor pod-1 on a
    after monitor pod-1 on b
    after start pod-podman-1 on a
monitor pod-1 every 30000ms on a: it is not monitored yet
    after start pod-1 on a
start pod-podman-2 on far: it is the only node that may run it
    after monitor pod-podman-0 on far
    after monitor pod-podman-1 on far
    after monitor pod-podman-2 on a
    after monitor pod-podman-2 on b
    after monitor pod-podman-2 on far
    after start far on a
monitor pod-podman-2 every 60000ms on far: it is not monitored yet
    after start far on a
    after start pod-podman-2 on far
start pod-2 on a: it is the only node that may run it
    after monitor pod-2 on a
    after monitor pod-2 on b
    after start pod-podman-2 on far
monitor pod-2 every 30000ms on a: it is not monitored yet
    after start pod-2 on a
start web:0 on pod-0: it is the only node that may run it
    after monitor pod-podman-0 on a
    after monitor pod-podman-0 on b
    after monitor pod-podman-0 on far
    after monitor pod-podman-1 on a
    after monitor pod-podman-1 on b
    after monitor pod-podman-1 on far
    after monitor pod-podman-2 on a
    after monitor pod-podman-2 on b
    after monitor pod-podman-2 on far
    after start pod-0 on b
    after start pod-podman-0 on b
start web:1 on pod-1: it is the only node that may run it
    after monitor pod-podman-0 on a
    after monitor pod-podman-0 on b
    after monitor pod-podman-0 on far
    after monitor pod-podman-1 on a
    after monitor pod-podman-1 on b
    after monitor pod-podman-1 on far
    after monitor pod-podman-2 on a
    after monitor pod-podman-2 on b
    after monitor pod-podman-2 on far
    after start pod-1 on a
    after start pod-podman-1 on a
    after start web:0 on pod-0
start web:2 on pod-2: it is the only node that may run it
    after monitor pod-podman-0 on a
    after monitor pod-podman-0 on b
    after monitor pod-podman-0 on far
    after monitor pod-podman-1 on a
    after monitor pod-podman-1 on b
    after monitor pod-podman-1 on far
    after monitor pod-podman-2 on a
    after monitor pod-podman-2 on b
    after monitor pod-podman-2 on far
    after start pod-2 on a
    after start pod-podman-2 on far
    after start web:1 on pod-1
# far starts on a: it has the best score, 10
# web:0 starts on pod-0: it is the only node that may run it
# web:1 starts on pod-1: it is the only node that may run it
# web:2 starts on pod-2: it is the only node that may run it
# pod-podman-0 starts on b: no node is preferred, and it is the least loaded
# pod-0 starts on b: it has the best score, 10000
# pod-podman-1 starts on a: it is the only node that may run it
# pod-1 starts on a: it has the best score, 10000
# pod-podman-2 starts on far: it is the only node that may run it
# pod-2 starts on a: it is the only node that may run it
# pod-2 cannot run on b: far, which hosts pod-podman-2, is not connected from there
# pod-2 cannot run on far: far, which hosts pod-podman-2, is not connected from there
# pod-2 cannot run on pod-0: far, which hosts pod-podman-2, is not connected from there
# pod-2 cannot run on pod-1: far, which hosts pod-podman-2, is not connected from there
# pod-2 cannot run on pod-2: far, which hosts pod-podman-2, is not connected from there

# Where its connection could be does not move a container that runs.
run
plan
----
nothing to do
# far stays on a: it has the best score, 10
# web:0 stays on pod-0: it is the only node that may run it
# web:1 stays on pod-1: it is the only node that may run it
# web:2 stays on pod-2: it is the only node that may run it
# pod-podman-0 stays on b: no node is preferred, and it is the least loaded
# pod-0 stays on b: it has the best score, 10000
# pod-podman-1 stays on a: no node is preferred, and it is the least loaded
# pod-1 stays on a: it has the best score, 10000
# pod-podman-2 stays on far: it is the only node that may run it
# pod-2 stays on a: it is the only node that may run it
# pod-2 cannot run on b: far, which hosts pod-podman-2, is not connected from there
# pod-2 cannot run on far: far, which hosts pod-podman-2, is not connected from there
# pod-2 cannot run on pod-0: far, which hosts pod-podman-2, is not connected from there
# pod-2 cannot run on pod-1: far, which hosts pod-podman-2, is not connected from there
# pod-2 cannot run on pod-2: far, which hosts pod-podman-2, is not connected from there
