package sio

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zishang520/socket.io-go-parser/v2/parser"
)

func testDecoder() *decoder {
	return &decoder{bounds: bounds{attachments: 3, binary: 100, depth: 4, eventName: 16}}
}

func number(n uint64) *uint64 { return &n }

func TestDecoderTakesWhatClientsSend(t *testing.T) {
	t.Parallel()
	cases := []struct {
		in   string
		want parser.Packet
	}{
		{`0`, parser.Packet{Type: parser.CONNECT, Nsp: "/"}},
		{`0/,`, parser.Packet{Type: parser.CONNECT, Nsp: "/"}},
		{`0{}`, parser.Packet{Type: parser.CONNECT, Nsp: "/", Data: map[string]any{}}},
		{`0{"token":""}`, parser.Packet{Type: parser.CONNECT, Nsp: "/", Data: map[string]any{"token": ""}}},
		{`0/admin`, parser.Packet{Type: parser.CONNECT, Nsp: "/admin"}},
		{`0/admin,{"a":1}`, parser.Packet{Type: parser.CONNECT, Nsp: "/admin", Data: map[string]any{"a": 1.0}}},
		{`1`, parser.Packet{Type: parser.DISCONNECT, Nsp: "/"}},
		{`1/admin,`, parser.Packet{Type: parser.DISCONNECT, Nsp: "/admin"}},
		{`2["a"]`, parser.Packet{Type: parser.EVENT, Nsp: "/", Data: []any{"a"}}},
		{`2[""]`, parser.Packet{Type: parser.EVENT, Nsp: "/", Data: []any{""}}},
		{`2[7,"x"]`, parser.Packet{Type: parser.EVENT, Nsp: "/", Data: []any{"7", "x"}}},
		{`20["a"]`, parser.Packet{Type: parser.EVENT, Nsp: "/", Id: number(0), Data: []any{"a"}}},
		{`2/n,12["a",null,{"b":[1]}]`, parser.Packet{Type: parser.EVENT, Nsp: "/n", Id: number(12),
			Data: []any{"a", nil, map[string]any{"b": []any{1.0}}}}},
		{`29007199254740991["a"]`, parser.Packet{Type: parser.EVENT, Nsp: "/", Id: number(maxSafeID), Data: []any{"a"}}},
		{`2["a","]]]]\"[[[[[[{{{{"]`, parser.Packet{Type: parser.EVENT, Nsp: "/", Data: []any{"a", `]]]]"[[[[[[{{{{`}}},
		{`2["a",{"_placeholder":true,"num":0}]`, parser.Packet{Type: parser.EVENT, Nsp: "/",
			Data: []any{"a", map[string]any{"_placeholder": true, "num": 0.0}}}},
		{`31[]`, parser.Packet{Type: parser.ACK, Nsp: "/", Id: number(1), Data: []any{}}},
		{`3/n,1["disconnect"]`, parser.Packet{Type: parser.ACK, Nsp: "/n", Id: number(1), Data: []any{"disconnect"}}},
		{`50-["a"]`, parser.Packet{Type: parser.EVENT, Nsp: "/", Data: []any{"a"}}},
		{`60-/n,3[]`, parser.Packet{Type: parser.ACK, Nsp: "/n", Id: number(3), Data: []any{}}},
	}
	for _, c := range cases {
		t.Run(c.in, func(t *testing.T) {
			t.Parallel()
			p, err := testDecoder().text([]byte(c.in))
			require.NoError(t, err)
			require.Equal(t, &c.want, p)
		})
	}
}

func TestDecoderRefusesWhatNoClientSends(t *testing.T) {
	t.Parallel()
	cases := map[string]*refusal{
		"":                                       refusedEmpty,
		"7":                                      refusedType,
		"x":                                      refusedType,
		"\x00":                                   refusedType,
		"4{}":                                    refusedDirection,
		"2[\"a\xff\"]":                           refusedUTF8,
		"0/\xc0":                                 refusedUTF8,
		"0/" + strings.Repeat("n", 300) + ",":    refusedNamespace,
		"0null":                                  refusedPayload,
		"0[]":                                    refusedPayload,
		`0"x"`:                                   refusedPayload,
		"0{":                                     refusedPayload,
		"0{}x":                                   refusedPayload,
		`00{}`:                                   refusedID,
		"1{}":                                    refusedPayload,
		"1null":                                  refusedPayload,
		"15":                                     refusedID,
		"2":                                      refusedPayload,
		"21":                                     refusedPayload,
		"2/admin,":                               refusedPayload,
		"2/admin":                                refusedPayload,
		"2null":                                  refusedPayload,
		"2{}":                                    refusedPayload,
		"2[]":                                    refusedPayload,
		"2[null]":                                refusedPayload,
		"2[true]":                                refusedPayload,
		`2[["a"]]`:                               refusedPayload,
		`2["a"`:                                  refusedPayload,
		`2["a"]]`:                                refusedPayload,
		`2["a"]["b"]`:                            refusedPayload,
		`2 ["a"]`:                                refusedPayload,
		`2-1["a"]`:                               refusedPayload,
		`2["a",01]`:                              refusedPayload,
		`2["a",1e999]`:                           refusedPayload,
		`2["a",NaN]`:                             refusedPayload,
		`201["a"]`:                               refusedID,
		`29007199254740992["a"]`:                 refusedID,
		`2184467440737095516160["a"]`:            refusedID,
		"2" + strings.Repeat("9", 400) + `[]`:    refusedID,
		`2["connect"]`:                           refusedEventName,
		`2["connect_error"]`:                     refusedEventName,
		`2["disconnect"]`:                        refusedEventName,
		`2["disconnecting"]`:                     refusedEventName,
		`2["newListener"]`:                       refusedEventName,
		`2["removeListener"]`:                    refusedEventName,
		`2["12345678901234567"]`:                 refusedEventName,
		`2[1e20]`:                                refusedEventName,
		`2["a",[[[[]]]]]`:                        refusedDepth,
		`2["a",{"b":{"c":{"d":{}}}}]`:            refusedDepth,
		"2" + strings.Repeat("[", 900_000):       refusedDepth,
		"0" + strings.Repeat(`{"a":`, 100_000):   refusedDepth,
		"3":                                      refusedID,
		"3[]":                                    refusedID,
		"31":                                     refusedPayload,
		"31{}":                                   refusedPayload,
		"31null":                                 refusedPayload,
		"301[]":                                  refusedID,
		"5":                                      refusedAttachments,
		"5-":                                     refusedAttachments,
		`5["a"]`:                                 refusedAttachments,
		`5-["a"]`:                                refusedAttachments,
		`51`:                                     refusedAttachments,
		`51["a"]`:                                refusedAttachments,
		`501-["a"]`:                              refusedAttachments,
		`54-["a"]`:                               refusedAttachments,
		`5-1-["a"]`:                              refusedAttachments,
		`51e1-["a"]`:                             refusedAttachments,
		"5" + strings.Repeat("9", 50) + `-[]`:    refusedAttachments,
		`51-`:                                    refusedPayload,
		`451-`:                                   refusedDirection,
		`51-["a"]`:                               refusedPlaceholder,
		`50-["a",{"_placeholder":true,"num":0}]`: refusedPlaceholder,
		`51-["a",{"_placeholder":true,"num":1}]`: refusedPlaceholder,
		`51-["a",{"_placeholder":true,"num":-1}]`:                                    refusedPlaceholder,
		`51-["a",{"_placeholder":true,"num":0.5}]`:                                   refusedPlaceholder,
		`51-["a",{"_placeholder":true,"num":"0"}]`:                                   refusedPlaceholder,
		`51-["a",{"_placeholder":true,"num":1e300}]`:                                 refusedPlaceholder,
		`51-["a",{"_placeholder":true}]`:                                             refusedPlaceholder,
		`52-["a",{"_placeholder":true,"num":0}]`:                                     refusedPlaceholder,
		`52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`:       refusedPlaceholder,
		`51-["a",{"x":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]`: refusedPlaceholder,
		`61-1[]`: refusedPlaceholder,
		`61-[]`:  refusedID,
	}
	for in, want := range cases {
		t.Run(in[:min(len(in), 40)], func(t *testing.T) {
			t.Parallel()
			p, err := testDecoder().text([]byte(in))
			require.Nil(t, p)
			require.Same(t, want, err, "got %v", err)
		})
	}
}

func TestDecoderPutsAttachmentsInPlace(t *testing.T) {
	t.Parallel()
	d := testDecoder()
	p, err := d.text([]byte(`52-/n,7["a",{"x":[{"_placeholder":true,"num":1}]},{"_placeholder":true,"num":0}]`))
	require.NoError(t, err)
	require.Nil(t, p)
	p, err = d.binary([]byte("first"))
	require.NoError(t, err)
	require.Nil(t, p)
	p, err = d.binary([]byte{})
	require.NoError(t, err)
	require.Equal(t, &parser.Packet{Type: parser.EVENT, Nsp: "/n", Id: number(7),
		Data: []any{"a", map[string]any{"x": []any{[]byte{}}}, []byte("first")}}, p)

	p, err = d.text([]byte(`2["next"]`)) // the decoder is free again
	require.NoError(t, err)
	require.Equal(t, []any{"next"}, p.Data)
}

func TestDecoderBoundsAttachments(t *testing.T) {
	t.Parallel()
	header := []byte(`52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
	t.Run("binary without a header", func(t *testing.T) {
		t.Parallel()
		_, err := testDecoder().binary([]byte{1})
		require.Same(t, refusedBinary, err)
	})
	t.Run("text in between", func(t *testing.T) {
		t.Parallel()
		d := testDecoder()
		_, err := d.text(header)
		require.NoError(t, err)
		_, err = d.text([]byte(`2["a"]`))
		require.Same(t, refusedText, err)
	})
	t.Run("too many bytes in sum", func(t *testing.T) {
		t.Parallel()
		d := testDecoder()
		_, err := d.text(header)
		require.NoError(t, err)
		_, err = d.binary(make([]byte, 60))
		require.NoError(t, err)
		_, err = d.binary(make([]byte, 41))
		require.Same(t, refusedTooLarge, err)
	})
	t.Run("one more than announced", func(t *testing.T) {
		t.Parallel()
		d := testDecoder()
		_, err := d.text([]byte(`51-["a",{"_placeholder":true,"num":0}]`))
		require.NoError(t, err)
		_, err = d.binary([]byte{1})
		require.NoError(t, err)
		_, err = d.binary([]byte{1})
		require.Same(t, refusedBinary, err)
	})
}

// FuzzDecoder: whatever comes in, a packet that comes out has one of the shapes that the library can take.
func FuzzDecoder(f *testing.F) {
	for _, s := range []string{`0{"token":""}`, `1/n,`, `2/n,7["a",{"b":1}]`, `31["x"]`, `50-["a"]`, `2["a\ud800"]`,
		`51-["a",{"_placeholder":true,"num":0}]`, `42`, `421`, `451-`, `431`} {
		f.Add([]byte(s), []byte{1, 2})
	}
	f.Fuzz(func(t *testing.T, text, attachment []byte) {
		d := testDecoder()
		p, err := d.text(text)
		for err == nil && p == nil {
			p, err = d.binary(attachment)
		}
		if err != nil {
			require.Nil(t, p)
			return
		}
		switch p.Type {
		case parser.CONNECT:
			_, isMap := p.Data.(map[string]any)
			require.True(t, p.Id == nil && (p.Data == nil || isMap))
		case parser.DISCONNECT:
			require.True(t, p.Id == nil && p.Data == nil)
		case parser.EVENT:
			require.IsType(t, "", p.Data.([]any)[0])
		case parser.ACK:
			require.NotNil(t, p.Id)
			require.IsType(t, []any{}, p.Data)
		default:
			t.Fatalf("type %v", p.Type)
		}
		if p.Type == parser.EVENT || p.Type == parser.ACK {
			_, err := encode(p.Type, p.Nsp, p.Id, p.Data)
			require.NoError(t, err, "what came in can go out")
		}
	})
}
