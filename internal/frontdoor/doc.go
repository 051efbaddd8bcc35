// Package frontdoor lets the server stand where Next.js listened: what is no route of its own goes to Next.js unchanged,
// streams, server-sent events, uploads and WebSocket upgrades included. It is also the one place that decides whose
// X-Forwarded-* headers are believed. internal/app puts it around and behind the routes.
//
// It never reads a body, follows a redirect, or knows what a request is about.
package frontdoor
