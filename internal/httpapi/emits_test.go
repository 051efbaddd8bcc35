package httpapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/contract"
)

func TestTheEmitEndpointsAreThoseOfTheContract(t *testing.T) {
	var served []contract.EmitKind
	for _, k := range emitKinds {
		served = append(served, contract.EmitKind{Name: k.name, Event: k.alias, Request: k.request})
	}
	want := contract.EmitKinds()
	for i := range want {
		want[i].Summary = ""
	}
	require.Equal(t, want, served)
}

// The name had the Go type before it, of bodies that embedded another.
func TestAFieldOfTheWrongTypeIsNamedAsTheCallerWroteIt(t *testing.T) {
	for _, k := range emitKinds {
		if k.name == contract.KindUser {
			continue
		}
		_, err := k.run(t.Context(), nil, identity.Scope{}, []byte(`{"tenantId":5,"minutesBefore":1}`))
		require.Equal(t, "tenantId", contract.AsError(err).Field, k.name)
	}
}

func TestAReminderSaysHowManyMinutes(t *testing.T) {
	k, _ := kindByName(contract.KindAppointmentReminder)
	for _, body := range []string{`{"tenantId":"t"}`, `{"tenantId":"t","minutesBefore":null}`} {
		_, err := k.run(t.Context(), nil, identity.Scope{}, []byte(body))
		require.Equal(t, contract.InvalidField("minutesBefore", "minutesBefore is missing"), err)
	}
}
