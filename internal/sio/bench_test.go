package sio

import (
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// BenchmarkBroadcast is one broadcast of 200 bytes to 200 WebSocket clients, which read it in this process too.
func BenchmarkBroadcast(b *testing.B) { benchmarkBroadcast(b, Recovery{}) }

// BenchmarkBroadcastRecovery is the same with what clients may come back for.
func BenchmarkBroadcastRecovery(b *testing.B) { benchmarkBroadcast(b, Recovery{Time: 2 * time.Minute}) }

func benchmarkBroadcast(b *testing.B, recovery Recovery) {
	const clients = 200
	srv, err := New(Options{Recovery: recovery, OnConnect: func(s *Socket) { s.Join("all") }})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(srv)
	defer server.Close()
	var round sync.WaitGroup
	for range clients {
		l, _, err := enter(server.URL)
		if err != nil {
			b.Fatal(err)
		}
		_ = l.ws.SetReadDeadline(time.Time{})
		defer l.close()
		go func() {
			for {
				if _, _, err := l.ws.ReadMessage(); err != nil {
					return
				}
				round.Done()
			}
		}()
	}
	for srv.InRoom("all") < clients { // OnConnect comes after the CONNECT packet was queued
		time.Sleep(time.Millisecond)
	}
	text := string(make([]byte, 0, 200))
	for len(text) < 200 {
		text += "0123456789"
	}
	b.ReportAllocs()
	for b.Loop() {
		round.Add(clients)
		if n, err := srv.Broadcast(Target{Rooms: []string{"all"}}, "news", text); n != clients || err != nil {
			b.Fatal(n, err)
		}
		round.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/clients, "ns/delivery")
}

// BenchmarkEvent is an event and its acknowledgement, there and back.
func BenchmarkEvent(b *testing.B) {
	srv, err := New(Options{OnEvent: func(_ *Socket, e Event) { _ = e.Ack(e.Args...) }})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(srv)
	defer server.Close()
	l, _, err := enter(server.URL)
	if err != nil {
		b.Fatal(err)
	}
	defer l.close()
	b.ReportAllocs()
	for b.Loop() {
		if err := l.write(`21["echo",{"appointmentId":"cm3f"}]`, nil); err != nil {
			b.Fatal(err)
		}
		if _, _, err := l.read(wait); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRemember is what recovery adds to each delivery: the event's place in what is remembered of the socket.
func BenchmarkRemember(b *testing.B) {
	l := &line{state: lineDown}
	r := newRecovery(Options{Recovery: Recovery{Time: 2 * time.Minute}, Now: time.Now}.withDefaults())
	rec := r.record(false)
	b.ReportAllocs()
	for b.Loop() {
		_ = l.send(rec, r.opts.Time, r.opts.Events, nil)
	}
}
