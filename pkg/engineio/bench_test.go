package engineio_test

import (
	"fmt"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// idle is a Handler that does nothing.
type idle struct {
	mu    sync.Mutex
	conns []*engineio.Conn
}

func (i *idle) Open(c *engineio.Conn) {
	i.mu.Lock()
	i.conns = append(i.conns, c)
	i.mu.Unlock()
}
func (*idle) Message(*engineio.Conn, engineio.Message)   {}
func (*idle) Close(*engineio.Conn, engineio.CloseReason) {}

// rawClients opens n WebSockets whose client side is a bare TCP connection.
func rawClients(b *testing.B, n int) (*idle, []net.Conn) {
	b.Helper()
	h := &idle{}
	ts := httptest.NewServer(engineio.NewServer(h, engineio.Options{}))
	b.Cleanup(func() { ts.CloseClientConnections(); ts.Close() })
	conns := make([]net.Conn, n)
	for i := range conns {
		c, err := net.Dial("tcp", strings.TrimPrefix(ts.URL, "http://"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		_, err = fmt.Fprint(c, "GET /?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		if err != nil {
			b.Fatal(err)
		}
		for got := 0; got < 200; { // the handshake and the open packet
			var buf [1024]byte
			k, err := c.Read(buf[:])
			if err != nil {
				b.Fatal(err)
			}
			got += k
		}
		conns[i] = c
	}
	return h, conns
}

// BenchmarkBroadcast1k is the cost of one broadcast of 200 bytes to 1,000 connections that read, both sides counted.
func BenchmarkBroadcast1k(b *testing.B) {
	h, clients := rawClients(b, 1000)
	var got sync.WaitGroup
	payload := strings.Repeat("x", 200)
	size := 200 + 1 + 4
	for _, c := range clients {
		go func() {
			buf := make([]byte, 64<<10)
			pending := 0
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				for pending += n; pending >= size; pending -= size {
					got.Done()
				}
			}
		}()
	}
	b.ReportAllocs()
	for b.Loop() {
		got.Add(len(clients))
		p := engineio.NewText(payload)
		for _, c := range h.conns {
			if err := c.Send(p); err != nil {
				b.Fatal(err)
			}
		}
		got.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(clients)), "ns/delivery")
}

// BenchmarkIdleConnection reports the memory of an idle WebSocket connection of this layer, the client's in this process
// left out as far as it is Go memory of its own.
func BenchmarkIdleConnection(b *testing.B) {
	const n = 2000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		h, clients := rawClients(b, n)
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/n, "B/conn")
		runtime.KeepAlive(h)
		for _, c := range clients {
			_ = c.Close()
		}
	}
}
