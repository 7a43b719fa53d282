# What can run nowhere has no say in where a clone goes that it wants to be with: another dependent decides which is promoted.
node a b
option fencing-enabled false
primitive db
primitive address
primitive files
clone dbs db promotable=true
colocate address dbs INFINITY
colocate files dbs INFINITY
locate address b 10
run
score a db 75
score b db 75
locate files a -INFINITY
locate files b -INFINITY
plan
----
stop files on a: no node may run it (a: constraint l-files-a; b: constraint l-files-b)
promote db:1 on b: it is to be promoted here
# address stays on b: it has the best score, 10
# files stops on a: no node may run it (a: constraint l-files-a; b: constraint l-files-b)
# files cannot run on a: constraint l-files-a
# files cannot run on b: constraint l-files-b
# db:0 stays on a: it has the best score, 76
# db:1 is promoted on b
