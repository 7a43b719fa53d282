package audit

// QueuesMax is how many orders and results may wait on one node. A plan holds a handful for each resource of a node, and
// what is not acknowledged is sent again and not doubled; a queue that grows beyond this grows for ever.
const QueuesMax = 2000

// FindingsMax bounds what a report lists: one fault can break a rule again and again.
const FindingsMax = 100
