package frontdoor

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// downPage is what a person sees while Next.js is down. It asks again by itself.
const downPage = `<!doctype html>
<html lang="es">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>La aplicación no responde</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 34rem; padding: 0 1.5rem; }
  h1 { font-size: 1.4rem; }
</style>
</head>
<body>
<main>
<h1>La aplicación no responde por ahora</h1>
<p>Suele durar unos segundos, por ejemplo durante una actualización. Esta página vuelve a intentarlo por sí sola.</p>
<p>Las notificaciones en tiempo real siguen conectadas.</p>
</main>
</body>
</html>
`

// writeDown answers 502 or 504: a page for who accepts one, a problem (RFC 9457) for everybody else.
func writeDown(w http.ResponseWriter, r *http.Request, status int) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Retry-After", "5")
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(downPage)))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, downPage)
		return
	}
	const detail = "the app behind this server does not answer"
	body, err := json.Marshal(map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status,
		"detail": detail, "error": detail, "code": "UPSTREAM_DOWN"})
	if err != nil { // strings and a number
		body = []byte("{}")
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
