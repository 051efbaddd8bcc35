package engineio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// masked frames a payload as a client does.
func masked(first byte, payload string) []byte {
	b := appendHeader(nil, first, len(payload))
	b[1] |= bitMask
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i&3])
	}
	return b
}

func frames(limit int, parts ...[]byte) (*frameReader, *bytes.Buffer) {
	var pongs bytes.Buffer
	return &frameReader{in: bufio.NewReaderSize(bytes.NewReader(bytes.Join(parts, nil)), readBuffer), limit: limit,
		pong: func(b []byte) error { pongs.Write(append(b, '|')); return nil }}, &pongs
}

func TestTheExamplesOfTheRFCAreRead(t *testing.T) { // RFC 6455, 5.7
	t.Parallel()
	f, pongs := frames(1000, []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58},
		masked(0x01, "Hel"), masked(0x89, "Hello"), masked(0x80, "lo"), masked(0x82, strings.Repeat("x", 256)))
	for _, want := range []string{"Hello", "Hello", strings.Repeat("x", 256)} {
		data, _, err := f.message()
		require.NoError(t, err)
		require.Equal(t, want, string(data))
	}
	require.Equal(t, "Hello|", pongs.String(), "the ping between two fragments")
	_, _, err := f.message()
	require.ErrorIs(t, err, io.EOF)
}

func TestMessagesOfEveryLengthAndMaskPositionAreReadWhole(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789abcdef", 9000)
	for _, n := range []int{0, 1, 7, 8, 9, 125, 126, 127, 511, 512, 513, 4095, 4096, 4097, 8193, 65535, 65536, 131073} {
		f, _ := frames(len(text), masked(0x82, text[:n]), masked(0x02, text[:n/3]), masked(0x00, text[n/3:n/2]), masked(0x80, text[n/2:n]))
		for range 2 {
			data, bin, err := f.message()
			require.NoError(t, err)
			require.True(t, bin)
			require.Equal(t, text[:n], string(data))
		}
	}
}

func TestWhatTheRFCForbidsEndsTheWebSocketWithTheCodeItNames(t *testing.T) {
	t.Parallel()
	huge := func(n uint64) []byte { return append(binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, n), 1, 2, 3, 4) }
	for name, c := range map[string]struct {
		frames []byte
		code   uint16
	}{
		"a length whose top bit is set":       {huge(1 << 63), 1002},
		"a length of all ones":                {huge(1<<64 - 1), 1002},
		"a length over the limit":             {huge(1001), 1009},
		"the longest length there is":         {huge(1<<63 - 1), 1009},
		"fragments that are over it together": {append(masked(0x02, strings.Repeat("x", 600)), masked(0x80, strings.Repeat("x", 401))...), 1009},
		"no mask":                             {[]byte{0x81, 0x01, 'x'}, 1002},
		"RSV1":                                {masked(0xc1, "x"), 1002},
		"RSV3":                                {masked(0x91, "x"), 1002},
		"opcode 3":                            {masked(0x83, "x"), 1002},
		"opcode 11":                           {masked(0x8b, "x"), 1002},
		"a continuation of nothing":           {masked(0x80, "x"), 1002},
		"a new message within a message":      {append(masked(0x01, "x"), masked(0x81, "y")...), 1002},
		"a ping in fragments":                 {masked(0x09, "x"), 1002},
		"a ping of 126 bytes":                 {masked(0x89, strings.Repeat("x", 126)), 1002},
		"text that is not UTF-8":              {masked(0x81, "\xff"), 1007},
		"text cut within a character":         {append(masked(0x01, "\xe2\x82"), masked(0x80, "")...), 1007},
		"a close of one byte":                 {masked(0x88, "x"), 1002},
		"a close with a code for inside":      {masked(0x88, "\x03\xed"), 1002}, // 1005
		"a close with a code out of range":    {masked(0x88, "\x13\x88"), 1002}, // 5000
		"a close whose reason is not UTF-8":   {masked(0x88, "\x03\xe8\xff"), 1007},
	} {
		f, _ := frames(1000, c.frames)
		_, _, err := f.message()
		var broken *frameError
		require.ErrorAs(t, err, &broken, name)
		require.Equal(t, c.code, broken.code, name)
		require.False(t, broken.goodbye, name)
	}
}

func TestACloseFrameIsAnsweredWithItsOwnCode(t *testing.T) {
	t.Parallel()
	for body, code := range map[string]uint16{"": 0, "\x03\xe8": 1000, "\x0b\xb8adiós": 3000} {
		f, _ := frames(1000, masked(0x88, body))
		_, _, err := f.message()
		require.Equal(t, &frameError{code: code, text: "closed by the peer", goodbye: true}, err)
	}
}

func TestAnAnnouncedLengthCostsNothingUntilItsBytesCome(t *testing.T) {
	head := append(binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, 100<<20), 1, 2, 3, 4)
	least := uint64(1 << 63)
	for range 10 { // the ends of other tests' connections allocate, too
		f, _ := frames(100<<20, head, []byte("a few bytes"))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := f.message()
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	require.Less(t, least, uint64(64<<10))
}

func TestAMessageInFragmentsOfOneByteIsCopiedAFewTimesOnly(t *testing.T) {
	const n = 200_000
	var b []byte
	b = append(b, masked(0x02, "x")...)
	for range n - 2 {
		b = append(b, masked(0x00, "x")...)
	}
	b = append(b, masked(0x80, "x")...)
	f, _ := frames(n, b)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	data, _, err := f.message()
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Len(t, data, n)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*n))
}

// FuzzFrames looks for bytes that make the reader panic, exceed its limit, or hand up text that is not UTF-8.
func FuzzFrames(f *testing.F) {
	f.Add(masked(0x81, "4hello"))
	f.Add(append(masked(0x01, "4he"), append(masked(0x89, "p"), masked(0x80, "llo")...)...))
	f.Add([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Add(masked(0x88, "\x03\xe8bye"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, _ := frames(4096, b)
		for {
			data, bin, err := r.message()
			if err != nil {
				return
			}
			if len(data) > 4096 || !bin && strings.ToValidUTF8(string(data), "?") != string(data) {
				t.Fatalf("%d bytes, binary %t", len(data), bin)
			}
		}
	})
}

func BenchmarkUnmask(b *testing.B) {
	buf := make([]byte, 4096)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		unmask(buf, [4]byte{1, 2, 3, 4}, 1)
	}
}

func BenchmarkReadMessage(b *testing.B) {
	frame := masked(0x81, `42["calendar:viewing",{"date":"2026-11-23","viewType":"week"}]`)
	in := bytes.NewReader(frame)
	f := &frameReader{in: bufio.NewReaderSize(in, readBuffer), limit: 1000}
	b.ReportAllocs()
	for b.Loop() {
		in.Reset(frame)
		if _, _, err := f.message(); err != nil {
			b.Fatal(err)
		}
	}
}
