// Package returning tells users who come back what they have missed: the unread notifications since they were seen last, as
// notification:new with replayed: true, then one calendar:refresh. It keeps realtime.last_seen, whose row decides between
// nodes that this is done once an absence. The hub calls it for each socket; app runs it. It never holds up a sign-in, closes
// no socket, and tells nobody anything who comes for the first time.
package returning
