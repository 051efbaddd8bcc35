// Package contract is the vocabulary that the server, its clients and its embedders share: event names, room names,
// payload types and the one error type. It imports the standard library alone and never talks to anything.
//
// The names and JSON fields are what the front end in use sends and reads: they are never renamed, removed or
// retyped; more may be added.
package contract
