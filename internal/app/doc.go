// Package app is the composition root: it builds every part from a configuration, runs them, and stops them in order. The
// command, the embedding API and the end-to-end tests all use it, so that what is tested is what runs.
package app
