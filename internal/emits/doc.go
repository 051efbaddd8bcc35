// Package emits is the table of what can be emitted: each kind's name, its body (contract/http.md) and the function of
// internal/notify that it calls. The emit endpoints (internal/httpapi) and the dispatcher of committed occurrences
// (internal/outbox) share it, so that a kind means the same on both ways. It knows neither HTTP nor the database.
package emits
