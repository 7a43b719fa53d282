# An attribute whose name is a number is an argument by position, told apart from the parameters.
node a
option fencing-enabled false
primitive ip
param ip 1=192.0.2.1
details
----
monitor ip on a
    arg 1=192.0.2.1
start ip on a
    arg 1=192.0.2.1
