// Package console is the browser's page of this server, for people: with the demo data two users' calendars side by side, and
// everywhere the operator's page with live connections, rates, latencies and the last events on the wire.
//
// Its sources are in ui (React, Vite); what they build to is in dist, committed and embedded, and a test proves that it is the
// same. internal/httpapi serves its routes, below /console/. It decides who may see what and calls the services; it never
// touches the database: what the demo's calendar writes is db/demo's matter.
package console
