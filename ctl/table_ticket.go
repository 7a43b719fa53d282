package ctl

// ticketCommands grant and revoke tickets.
var ticketCommands = []command{
	{
		path: "ticket show", aliases: []string{"list"}, short: "show the tickets of this site", run: runTicketShow,
		args: []arg{{name: "TICKET", kind: argTicket, optional: true, repeat: true}}, flags: []flag{flagJSON},
		examples: []string{"paceline ticket show"},
	},
	ticketCommand("grant", "grant a ticket to this site", "By hand, without asking any other site: make sure that no other has it."),
	ticketCommand("revoke", "take a ticket from this site", "What depends on it is stopped, demoted or fenced, as its loss-policy says."),
	ticketCommand("standby", "keep a ticket, and let nothing run by it", "What depends on it stops in good order, whatever the loss-policy says."),
	ticketCommand("activate", "end the standby of a ticket", ""),
	ticketCommand("delete", "forget the state of a ticket that is not granted", ""),
}

func ticketCommand(verb, short, long string) command {
	return command{
		path: "ticket " + verb, short: short, long: long, run: runTicket(verb),
		args: []arg{{name: "TICKET", kind: argTicket}}, flags: writes,
		examples: []string{"paceline ticket " + verb + " siteA"},
	}
}

// siteCommands are those of tickets by their name in older shells.
var siteCommands = []command{
	{
		path: "site ticket", short: "grant, revoke, standby, activate, show or delete a ticket, or say when it was granted", run: runSiteTicket,
		args: []arg{{name: "ACTION", kind: argChoice, values: []string{"grant", "revoke", "standby", "activate", "show", "time", "delete"}},
			{name: "TICKET", kind: argTicket, optional: true}},
		flags: writes, examples: []string{"paceline site ticket grant siteA"},
	},
}
