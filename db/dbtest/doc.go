// Package dbtest gives tests a real database, a real Redis and a small world of tenants. Every test of the store runs
// on both databases through Each; tests of other packages take whichever they need. Only tests import it.
//
// PostgreSQL is the server of TEST_DATABASE_URL (a superuser's URL), else a private one that is started once for each
// test process and goes with it. Each test has a database of its own, copied from a template, with the app's tables made
// and owned by prisma_owner, used by realtime_app, who may only read and write rows of them and has made the schema realtime.
// The databases' sessions and the test process itself are in America/Mexico_City, so that a time in the wrong zone shows.
package dbtest
