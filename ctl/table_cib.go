package ctl

// cibCommands work on copies of the configuration.
var cibCommands = []command{}
