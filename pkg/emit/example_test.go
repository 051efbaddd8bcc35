package emit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/citaplanner/realtime/pkg/contract"
	"github.com/citaplanner/realtime/pkg/emit"
)

// demoURL is the address of a real server with the demo world; the examples share it, and TestMain ends it.
var demoURL string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "emit")
	if err != nil {
		panic(err)
	}
	var stop func()
	if demoURL, stop, err = demoServer(folder); err != nil {
		panic(err)
	}
	code := m.Run()
	stop()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// example runs a function with a client of the demo server.
func example(show func(ctx context.Context, client *emit.Client) error) {
	client, err := emit.New(demoURL, key, emit.Options{})
	if err == nil {
		err = show(context.Background(), client)
	}
	if err != nil {
		fmt.Println(err)
	}
}

func ExampleClient_AppointmentCreated() {
	example(func(ctx context.Context, client *emit.Client) error {
		result, err := client.AppointmentCreated(ctx, contract.AppointmentCreatedRequest{
			AppointmentID: "demo-cita-1", TenantID: "demo-aurora", ActorID: "demo-ana",
		})
		if err != nil {
			return err
		}
		fmt.Println(len(result.Notifications), "notification stored, told to", result.Delivered.Sockets, "sockets")
		return nil
	})
	// Output: 1 notification stored, told to 0 sockets
}

func ExampleClient_AppointmentUpdated() {
	example(func(ctx context.Context, client *emit.Client) error {
		_, err := client.AppointmentUpdated(ctx, contract.AppointmentUpdatedRequest{
			AppointmentID: "demo-cita-1", TenantID: "demo-mirasol", Changes: json.RawMessage(`{"status":"CONFIRMED"}`),
		})
		var e *emit.Error
		if errors.As(err, &e) && e.Code == contract.CodeNotFound {
			fmt.Println("no such appointment in this tenant:", e.Status)
			return nil
		}
		return err
	})
	// Output: no such appointment in this tenant: 404
}

func ExampleClient_Batch() {
	example(func(ctx context.Context, client *emit.Client) error {
		results, err := client.Batch(ctx,
			contract.AppointmentCreatedRequest{AppointmentID: "demo-cita-2", TenantID: "demo-aurora"},
			contract.CalendarRefreshRequest{TenantID: "demo-aurora", Reason: "import"},
			contract.CalendarRefreshRequest{TenantID: "demo-aurora"},
		)
		if err != nil {
			return err
		}
		for _, r := range results {
			fmt.Printf("%d %q\n", r.Status, r.Field)
		}
		return nil
	})
	// Output:
	// 202 ""
	// 202 ""
	// 400 "reason"
}

func ExampleWithKey() {
	example(func(ctx context.Context, client *emit.Client) error {
		ctx = emit.WithKey(ctx, "payment-4711")
		payment := contract.NotificationRequest{TenantID: "demo-aurora", UserID: "demo-ana", Type: "payment:received", Message: "Pago recibido"}
		first, err := client.Notify(ctx, payment)
		if err != nil {
			return err
		}
		again, err := client.Notify(ctx, payment) // after a crash, say
		if err != nil {
			return err
		}
		fmt.Println("the same emit:", first.ID == again.ID)
		return nil
	})
	// Output: the same emit: true
}

func ExampleClient_EmitToUser() {
	example(func(ctx context.Context, client *emit.Client) error {
		_, err := client.EmitToUser(ctx, "demo-ana", "commission:earned", map[string]any{"amount": 120.5, "description": "Corte"})
		return err
	})
	// Output:
}
