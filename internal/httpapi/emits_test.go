package httpapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/emits"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/contract"
)

func TestTheEmitEndpointsAreThoseOfTheContract(t *testing.T) {
	var served []contract.EmitKind
	for _, k := range emits.Kinds {
		served = append(served, contract.EmitKind{Name: k.Name, Event: k.Alias, Request: k.Request})
	}
	want := contract.EmitKinds()
	for i := range want {
		want[i].Summary = ""
	}
	require.Equal(t, want, served)
}

// The name had the Go type before it, of bodies that embedded another.
func TestAFieldOfTheWrongTypeIsNamedAsTheCallerWroteIt(t *testing.T) {
	a := New(Deps{}, Options{})
	for _, k := range emits.Kinds {
		if k.Name == contract.KindUser {
			continue
		}
		_, err := a.run(t.Context(), k, identity.Scope{}, []byte(`{"tenantId":5,"minutesBefore":1}`))
		require.Equal(t, "tenantId", contract.AsError(err).Field, k.Name)
	}
}

func TestAReminderSaysHowManyMinutes(t *testing.T) {
	a := New(Deps{}, Options{})
	k, _ := emits.ByName(contract.KindAppointmentReminder)
	for _, body := range []string{`{"tenantId":"t"}`, `{"tenantId":"t","minutesBefore":null}`} {
		_, err := a.run(t.Context(), k, identity.Scope{}, []byte(body))
		require.Equal(t, contract.InvalidField("minutesBefore", "minutesBefore is missing"), err)
	}
}
