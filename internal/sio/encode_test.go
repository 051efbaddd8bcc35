package sio

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zishang520/engine.io/v2/types"
	"github.com/zishang520/socket.io-go-parser/v2/parser"
)

type withBytes struct {
	B []byte `json:"b"`
}

type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { panic("broken type") }

func TestEncode(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name        string
		kind        parser.PacketType
		nsp         string
		id          *uint64
		data        any
		text        string
		attachments [][]byte
	}{
		{"event", parser.EVENT, "/", nil, []any{"a", 1, nil}, `2["a",1,null]`, nil},
		{"event with namespace and id", parser.EVENT, "/n", number(7), []any{"a"}, `2/n,7["a"]`, nil},
		{"nothing is HTML-escaped", parser.EVENT, "/", nil, []any{"<b>&"}, `2["<b>&"]`, nil},
		{"invalid UTF-8 becomes valid", parser.EVENT, "/", nil, []any{"a\xff"}, `2["a\ufffd"]`, nil},
		{"acknowledgement", parser.ACK, "/", number(0), []any{}, `30[]`, nil},
		{"disconnect", parser.DISCONNECT, "/n", nil, nil, `1/n,`, nil},
		{"bytes", parser.EVENT, "/", nil, []any{"a", []byte{1}, map[string]any{"x": []any{[]byte{2}}}},
			`52-["a",{"_placeholder":true,"num":0},{"x":[{"_placeholder":true,"num":1}]}]`, [][]byte{{1}, {2}}},
		{"bytes in an acknowledgement", parser.ACK, "/n", number(3), []any{[]byte{}},
			`61-/n,3[{"_placeholder":true,"num":0}]`, [][]byte{{}}},
		{"no bytes at all is null", parser.EVENT, "/", nil, []any{"a", []byte(nil)}, `2["a",null]`, nil},
		{"no bytes beside bytes is null", parser.EVENT, "/", nil, []any{"a", []byte(nil), []byte{1}},
			`51-["a",null,{"_placeholder":true,"num":0}]`, [][]byte{{1}}},
		{"raw JSON is JSON", parser.EVENT, "/", nil, []any{"a", json.RawMessage(`{"b":1}`)}, `2["a",{"b":1}]`, nil},
		{"bytes in a struct are base64", parser.EVENT, "/", nil, []any{"a", withBytes{[]byte{1}}},
			`2["a",{"b":"AQ=="}]`, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, err := encode(c.kind, c.nsp, c.id, c.data)
			require.NoError(t, err)
			require.Equal(t, c.text, string(e.text))
			require.Equal(t, c.attachments, e.attachments)
		})
	}
}

func TestWhatCannotBeEncodedIsAnError(t *testing.T) {
	t.Parallel()
	cyclic := map[string]any{}
	cyclic["self"] = cyclic
	var deep any = []byte{1}
	for range maxEmitDepth + 1 {
		deep = []any{deep}
	}
	for name, v := range map[string]any{
		"channel": make(chan int), "function": func() {}, "NaN": math.NaN(), "infinity": math.Inf(1), "cycle": cyclic,
		"too deep": deep, "panicking type": panics{}, "broken raw JSON": json.RawMessage(`{`), "complex": 1i,
		"beside bytes": []any{[]byte{1}, make(chan int)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ps, err := encodeEvent("/", nil, "a", []any{v})
			require.ErrorIs(t, err, ErrEncode)
			require.Nil(t, ps)
		})
	}
}

func TestReservedNamesCannotBeEmitted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener",
		"removeListener"} {
		_, err := encodeEvent("/", nil, name, nil)
		require.ErrorIs(t, err, ErrReserved)
	}
}

func TestEncodingLeavesTheCallersValuesAlone(t *testing.T) {
	t.Parallel()
	b := []byte{1, 2}
	m := map[string]any{"b": b}
	args := []any{m}
	e, err := encode(parser.EVENT, "/", nil, []any{"a", args})
	require.NoError(t, err)
	b[0] = 9
	require.Equal(t, []byte{1, 2}, e.attachments[0], "the frame is the emit's moment")
	require.Equal(t, []any{map[string]any{"b": []byte{9, 2}}}, args)
}

func TestTheLibraryNeverGetsBuffersForWhatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	failed := 0
	c := codec{failed: func(parser.PacketType, error) { failed++ }}
	require.Empty(t, c.NewEncoder().Encode(&parser.Packet{Type: parser.EVENT, Nsp: "/", Data: []any{"a", make(chan int)}}))
	require.Equal(t, 1, failed)

	out := c.NewEncoder().Encode(&parser.Packet{Type: parser.EVENT, Nsp: "/", Data: []any{"a", []byte{1}}})
	require.Len(t, out, 2)
	require.IsType(t, &types.StringBuffer{}, out[0])
	require.IsType(t, &types.BytesBuffer{}, out[1])
	require.True(t, bytes.Equal([]byte{1}, out[1].Bytes()))
	require.ErrorIs(t, c.NewDecoder().Add(`2["a"]`), errNotDecoded)
}
