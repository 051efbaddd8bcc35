package sio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// A scenario provokes one defect of the table in the contract's transport notes (rows 1 to 17 of zishang520/socket.io
// v2.5.0) at the application that is served at an address. It returns what it saw, "" when all was well. Each
// runs against our server (defects_test.go) and against the library as it comes (defects_bare_test.go).
type scenario func(url string) string

const processDied = "the process died"

// defectWait is how long a scenario waits for what only a defect keeps from it: on the bare library it passes.
const defectWait = 20 * time.Second

func died(url string) string {
	if _, ok := stats(url); !ok {
		return processDied
	}
	return ""
}

// enter opens a connection and joins "/".
func enter(url string) (l *wsLink, id string, err error) {
	if l, err = openWS(url); err != nil {
		return nil, "", err
	}
	if err = l.write("0", nil); err == nil {
		var text string
		if text, _, err = l.read(wait); err == nil {
			var answer struct {
				SID string `json:"sid"`
			}
			if json.Unmarshal([]byte(strings.TrimPrefix(text, "0")), &answer) == nil && answer.SID != "" {
				return l, answer.SID, nil
			}
			err = fmt.Errorf("want CONNECT, got %q", text)
		}
	}
	l.close()
	return nil, "", err
}

// crowd runs fn n times, at most at a time, and returns how often it was false.
func crowd(n, at int, fn func(i int) bool) int {
	var failed atomic.Int64
	var wg sync.WaitGroup
	room := make(chan struct{}, at)
	for i := range n {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			if !fn(i) {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	return int(failed.Load())
}

// defect01: a pong that nobody asked for meets a timer that is not there yet.
func defect01(url string) string {
	crowd(200, 20, func(int) bool {
		ws, resp, err := websocket.DefaultDialer.Dial(wsURL(url), nil)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		_ = ws.WriteMessage(websocket.TextMessage, []byte("3"))
		_, _, _ = ws.ReadMessage()
		_ = ws.Close()
		return true
	})
	return died(url)
}

// defect02: packets without their array: an event, or an answer to a question of the server ("?" is its id; a binary
// packet is followed by its attachment).
var defect02 = map[string]scenario{
	"42":    withoutArray("2", false),
	"421":   withoutArray("21", false),
	"451-":  withoutArray("51-", true),
	"43id":  withoutArray("3?", false),
	"461id": withoutArray("61-?", true),
}

func withoutArray(packet string, attachment bool) scenario {
	return func(url string) string {
		l, _, err := enter(url)
		if err != nil {
			return err.Error()
		}
		defer l.close()
		crash := packet
		if strings.Contains(packet, "?") {
			_ = l.write(`2["ask"]`, nil)
			question, _, _ := l.read(wait)
			id, _, _ := strings.Cut(strings.TrimPrefix(question, "2"), "[")
			crash = strings.Replace(packet, "?", id, 1)
		}
		_ = l.write(crash, nil)
		if attachment {
			_ = l.write("", []byte{1})
		}
		if text, _, err := l.read(wait); err == nil {
			return fmt.Sprintf("answered %q", text)
		}
		return died(url)
	}
}

// defect03: the panicking socket goes on, and everybody else.
func defect03(url string) string {
	other, _, err := enter(url)
	if err != nil {
		return err.Error()
	}
	defer other.close()
	l, _, err := enter(url)
	if err != nil {
		return err.Error()
	}
	defer l.close()
	_ = l.write(`2["panic"]`, nil)
	_ = l.write(`21["panic"]`, nil)
	if text, _, _ := l.read(wait); !strings.HasPrefix(text, "31[{") {
		_, _, _ = l.read(200 * time.Millisecond)
		return fmt.Sprintf("answer %q; %s", text, died(url))
	}
	_ = other.write(`22["echo"]`, nil)
	if text, _, err := other.read(wait); text != "32[]" {
		return fmt.Sprintf("the other socket got %q, %v", text, err)
	}
	return died(url)
}

// defect04: broadcasts and acknowledgements to one client, mixed.
func defect04(url string) string {
	const n = 500
	l, _, err := enter(url)
	if err != nil {
		return err.Error()
	}
	defer l.close()
	go func() {
		for i := range n {
			_ = l.write(fmt.Sprintf(`2%d["shout",%d]`, i, i), nil)
		}
	}()
	got := 0
	for got < 2*n {
		if _, _, err := l.read(defectWait); err != nil {
			return fmt.Sprintf("%d of %d packets arrived", got, 2*n)
		}
		got++
	}
	return ""
}

// defect05: the order of one client's events.
func defect05(url string) string {
	const n = 1000
	l, key, err := enter(url)
	if err != nil {
		return err.Error()
	}
	defer l.close()
	for i := range n {
		_ = l.write(fmt.Sprintf(`2["seq",%q,%d]`, key, i), nil)
	}
	a, all := within(url, 3*wait, func(a *appState) bool { return len(a.Order[key]) == n })
	if !all {
		return fmt.Sprintf("%d of %d events arrived", len(a.Order[key]), n)
	}
	inversions := 0
	for i, v := range a.Order[key][1:] {
		if v < a.Order[key][i] {
			inversions++
		}
	}
	if inversions > 0 {
		return fmt.Sprintf("%d inversions in %d", inversions, n)
	}
	return ""
}

// defect06: CONNECT sent as soon as the WebSocket is open, before the open packet is read.
func defect06(url string) string {
	const n = 200
	lost := crowd(n, 50, func(int) bool {
		ws, resp, err := websocket.DefaultDialer.Dial(wsURL(url), nil)
		if err != nil {
			return false
		}
		defer ws.Close()
		_ = resp.Body.Close()
		if ws.WriteMessage(websocket.TextMessage, []byte("40")) != nil {
			return false
		}
		_ = ws.SetReadDeadline(time.Now().Add(wait))
		for {
			_, data, err := ws.ReadMessage()
			if err != nil {
				return false
			}
			if bytes.HasPrefix(data, []byte(`40{"sid":`)) {
				return true
			}
		}
	})
	if lost > 0 {
		return fmt.Sprintf("%d of %d never answered; %s", lost, n, died(url))
	}
	return ""
}

// defect07: with recovery on, a client comes back to its session. On the bare library the option for it ends the process.
func defect07(url string) string {
	auth, answers := "", [2]string{}
	for i := range answers {
		l, err := openWS(url)
		if err != nil {
			return err.Error()
		}
		defer l.close()
		_ = l.write("0"+auth, nil)
		if answers[i], _, err = l.read(wait); err != nil {
			return err.Error()
		}
		_ = l.write(`2["shout",1]`, nil)
		heard, _, err := l.read(wait)
		var args []any
		var session struct{ PID string }
		if json.Unmarshal([]byte(strings.TrimPrefix(heard, "2")), &args) != nil || len(args) != 3 ||
			json.Unmarshal([]byte(answers[i][1:]), &session) != nil {
			return fmt.Sprintf("got %q and %q, %v", answers[i], heard, err)
		}
		auth = fmt.Sprintf(`{"pid":%q,"offset":%q}`, session.PID, args[2])
	}
	if answers[0] != answers[1] {
		return fmt.Sprintf("%s came back as %s", answers[0], answers[1])
	}
	return ""
}

// endless is a body of unknown length, so that it is sent in chunks.
type endless struct{ left int }

func (e *endless) Read(b []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(b), e.left)
	for i := range b[:n] {
		b[i] = 'x'
	}
	e.left -= n
	return n, nil
}

// defect08: a body beyond the announced maxPayload that does not tell its length.
func defect08(url string) string {
	const size = 8 << 20
	l, err := openPolling(url)
	if err != nil {
		return err.Error()
	}
	defer l.close()
	body := &endless{left: size}
	req, err := http.NewRequest(http.MethodPost, l.url, body)
	if err != nil {
		return err.Error()
	}
	resp, err := (&http.Client{Timeout: 3 * wait}).Do(req) // the bare library takes its time, too
	if err != nil {
		return "" // cut off in the middle
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK && body.left == 0 {
		return fmt.Sprintf("a body of %d MB was read and answered 200", size>>20)
	}
	return ""
}

// defect09large: an event of 70 KB, allowed by maxPayload, over polling.
func defect09large(url string) string {
	l, err := openPolling(url)
	if err != nil {
		return err.Error()
	}
	defer l.close()
	_ = l.write("0", nil)
	if _, _, err := l.read(wait); err != nil {
		return err.Error()
	}
	if err := l.write(`21["big","`+strings.Repeat("x", 70_000)+`"]`, nil); err != nil {
		return err.Error()
	}
	_ = l.write(`22["echo"]`, nil)
	text, _, err := l.read(defectWait)
	if text != "31[70000]" {
		return fmt.Sprintf("answered ok, and then %q, %v", text, err)
	}
	return ""
}

// defect09invalid: a body that is no payload ends the session.
func defect09invalid(url string) string {
	l, err := openPolling(url)
	if err != nil {
		return err.Error()
	}
	defer l.close()
	_ = l.write("0", nil)
	if _, _, err := l.read(wait); err != nil {
		return err.Error()
	}
	if _, err := l.do(http.MethodPost, "zzz", wait); err != nil {
		return ""
	}
	if l.write(`21["echo"]`, nil) == nil {
		if text, _, _ := l.read(2 * time.Second); text == "31[]" {
			return "an invalid payload was answered ok and the session goes on"
		}
	}
	return ""
}

// defect10: 5 MB that compress to a few KB. On a busy machine the bare library takes its time for them.
func defect10(url string) string {
	dialer := websocket.Dialer{EnableCompression: true, HandshakeTimeout: wait}
	ws, resp, err := dialer.Dial(wsURL(url), nil)
	if err != nil {
		return err.Error()
	}
	defer ws.Close()
	_ = resp.Body.Close()
	_ = ws.WriteMessage(websocket.TextMessage, []byte("40"))
	_ = ws.WriteMessage(websocket.TextMessage, []byte(`421["big","`+strings.Repeat("0", 5<<20)+`"]`))
	_ = ws.SetReadDeadline(time.Now().Add(3 * wait))
	for {
		_, data, err := ws.ReadMessage()
		if err != nil {
			return ""
		}
		if bytes.HasPrefix(data, []byte("431[")) {
			return "5 MB in one message were taken, with a limit of 1 MB"
		}
	}
}

// defect11: attachments that never end.
func defect11(url string) string {
	l, _, err := enter(url)
	if err != nil {
		return err.Error()
	}
	defer l.close()
	_ = l.write(`51000-["x"]`, nil)
	for range 30 {
		if l.write("", make([]byte, 900_000)) != nil {
			return ""
		}
	}
	if _, _, err := l.read(defectWait); err != errGone { //nolint:errorlint // a bare value of this file
		return "30 attachments of 900 KB were taken, more are waited for"
	}
	return ""
}

// defect12: clients that go while their CONNECT is being handled.
func defect12(url string) string {
	crowd(300, 50, func(int) bool {
		ws, resp, err := websocket.DefaultDialer.Dial(wsURL(url), nil)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		_ = ws.WriteMessage(websocket.TextMessage, []byte("40"))
		return ws.Close() == nil
	})
	a, gone := within(url, defectWait, func(a *appState) bool { return a.Members == 0 && a.Sockets == 0 })
	if !gone {
		return fmt.Sprintf("%d ghosts in the room, %d without disconnect; %s", a.Members, a.Sockets, died(url))
	}
	return ""
}

// defect13: a client that is told to go must get DISCONNECT ("io server disconnect"), or it comes back at once.
func defect13(url string) string {
	wrong := crowd(40, 10, func(int) bool {
		l, _, err := enter(url)
		if err != nil {
			return false
		}
		defer l.close()
		_ = l.write(`2["kick"]`, nil)
		text, _, _ := l.read(wait)
		return text == "1"
	})
	if wrong > 0 {
		return fmt.Sprintf("%d of 40 saw the transport close", wrong)
	}
	return ""
}

// defect14: DISCONNECT and then the end of the connection is one disconnect, for the first of the reasons.
func defect14(url string) string {
	var mu sync.Mutex
	var ids []string
	crowd(100, 20, func(int) bool {
		l, id, err := enter(url)
		if err != nil {
			return false
		}
		mu.Lock()
		ids = append(ids, id)
		mu.Unlock()
		_ = l.write("1", nil)
		return l.ws.Close() == nil
	})
	a, _ := within(url, defectWait, func(a *appState) bool {
		for _, id := range ids {
			if len(a.Left[id]) == 0 {
				return false
			}
		}
		return true
	})
	var wrong []string
	for _, id := range ids {
		if got := strings.Join(a.Left[id], " and "); got != "client namespace disconnect" {
			wrong = append(wrong, got)
		}
	}
	if len(wrong) > 0 {
		return fmt.Sprintf("%d of %d: %q", len(wrong), len(ids), wrong[0])
	}
	return ""
}

// defect15: what JSON cannot say stays off the wire.
func defect15(url string) string {
	l, _, err := enter(url)
	if err != nil {
		return err.Error()
	}
	defer l.close()
	_ = l.write(`2["bad"]`, nil)
	_ = l.write(`21["echo"]`, nil)
	if text, _, err := l.read(wait); text != "31[]" {
		return fmt.Sprintf("the client got %q, %v", "4"+text, err)
	}
	return ""
}

// defect16: 45 MB for a client that does not read, more than the kernel may hold (tcp(7): tcp_rmem, tcp_wmem).
func defect16(url string) string {
	l, id, err := enter(url)
	if err != nil {
		return err.Error()
	}
	defer l.close()
	resp, err := http.Post(url+"/broadcast?bytes=200000&times=225", "", nil)
	if err != nil {
		return err.Error()
	}
	_ = resp.Body.Close()
	a, closed := within(url, defectWait, func(a *appState) bool { return len(a.Left[id]) > 0 })
	if !closed {
		return fmt.Sprintf("the client is kept, with %d MB of heap", a.Heap>>20)
	}
	return ""
}

// defect17: a CONNECT packet without a payload, met by an application that looks for auth.token.
func defect17(url string) string {
	l, err := openWS(url)
	if err != nil {
		return err.Error()
	}
	defer l.close()
	_ = l.write("0", nil)
	if text, _, _ := l.read(defectWait); !strings.HasPrefix(text, `0{"sid":`) {
		return fmt.Sprintf("got %q; %s", text, died(url))
	}
	return ""
}
