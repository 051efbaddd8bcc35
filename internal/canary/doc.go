// Package canary keeps readiness true. Every few seconds a node sends itself an event through the whole way that a real one
// takes: a committed occurrence, the dispatcher, the hub with a subscriber of this process, and Redis where there is one.
// What does not arrive is shown by /readyz and as a metric within seconds, whatever part is wedged and for whatever reason,
// while every part by itself may still say that it is well.
//
// The composition root runs it and hands it the legs. It knows neither the database nor the hub, and a lap costs the
// database one small row, written and deleted.
package canary
