// Package apidocs describes the server's own interface: the OpenAPI document of its HTTP routes, the AsyncAPI document of
// its events, and a page made from both for people. internal/app hands it to internal/httpapi, which serves it.
//
// Both documents are generated from pkg/contract and the list of routes in this package's tests (`make types`), committed,
// and embedded; tests hold them against the routes that are registered and the answers that are really given. At run time
// nothing is generated, and the page asks nobody for anything.
package apidocs
