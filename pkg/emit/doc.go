// Package emit is the Go client of the emit API of CitaPlanner Realtime: a server says what happened, and the real-time
// server stores the notifications and tells the sockets.
//
//	client, err := emit.New("http://realtime:3000", os.Getenv("REALTIME_API_KEY"), emit.Options{})
//	…
//	result, err := client.AppointmentCreated(ctx, contract.AppointmentCreatedRequest{
//		AppointmentID: appointment.ID, TenantID: appointment.TenantID, ActorID: user.ID})
//
// Every call carries an idempotency key that is made once and stays the same when the call is tried again, so that a
// lost answer does not make a second notification. What was refused is an [Error]: with errors.As, or by
// contract.CodeOf(err).
//
// The package imports pkg/contract and the standard library alone. It never logs, and starts no goroutine of its own.
package emit
