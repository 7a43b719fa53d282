# What fails inside of a container of a bundle is restarted there; only if it cannot be stopped the container is restarted too.
node a
primitive power class=stonith
primitive web op.monitor=10s
bundle pod 1 web
run
fail web pod-0 monitor:10000 1
plan
----
stop web:0 on pod-0: it failed: monitor on pod-0: error
start web:0 on pod-0: it is the only node that may run it
    after stop web:0 on pod-0
monitor web:0 every 10000ms on pod-0
    after start web:0 on pod-0
    after stop web:0 on pod-0
# power stays on a: it is the only node that may run it
# web:0 is restarted on pod-0: it failed: monitor on pod-0: error
# pod-podman-0 stays on a: it is the only node that may run it
# pod-0 stays on a: it is the only node that may run it

do
fail web pod-0 stop 1
plan
----
stop pod-podman-0 on a: it failed: web:0 failed there
    after stop pod-0 on a
start pod-podman-0 on a: it is the only node that may run it
    after stop pod-podman-0 on a
monitor pod-podman-0 every 60000ms on a
    after start pod-podman-0 on a
    after stop pod-podman-0 on a
stop pod-0 on a: pod-podman-0 stops
start pod-0 on a: pod-podman-0 starts
    after start pod-podman-0 on a
    after stop pod-0 on a
    after stop pod-podman-0 on a
monitor pod-0 every 30000ms on a: pod-0 starts
    after start pod-0 on a
    after stop pod-0 on a
start web:0 on pod-0: it is the only node that may run it
    after start pod-0 on a
    after start pod-podman-0 on a
    after stop pod-podman-0 on a
monitor web:0 every 10000ms on pod-0
    after start pod-0 on a
    after start web:0 on pod-0
    after stop pod-podman-0 on a
# power stays on a: it is the only node that may run it
# web:0 is restarted on pod-0: it failed: stop on pod-0: error
# pod-podman-0 is restarted on a: it failed: web:0 failed there
# pod-0 is restarted on a: pod-podman-0 stops
