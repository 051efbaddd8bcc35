// Package reminders sends appointment:reminder when it is time: to professionals as many minutes before as their
// preferences say, to clients with a portal user as their tenant's settings say. The composition root runs it on every
// node, or an external cron calls Pass; a key in the database decides that each reminder is sent once, whatever the number of
// nodes, restarts and jumps of the clock.
//
// A pass is two queries, however many appointments there are: what is wished for, and what is due. A reminder is seen
// (armed) some time before it is due; that is how a later change of the appointment is told from one that moved it. What
// is found too late after an outage is given up, and never sent after the appointment's start.
//
// It never writes a notification itself: internal/notify does, in the transaction of the claim.
package reminders
