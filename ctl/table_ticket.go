package ctl

// ticketCommands grant and revoke tickets.
var ticketCommands = []command{}
