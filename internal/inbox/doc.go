// Package inbox is a user's list of notifications, what of it is read, and what the user wants to be told of. The socket
// and HTTP edges call it with the user who is signed in and what that user named; it reads and writes the rows that are
// this user's in this tenant, and tells the user's other devices.
//
// It never says whether a notification of somebody else exists, and sends nothing before the row is written.
package inbox
