package ctl

// raCommands look at resource agents.
var raCommands = []command{}
