import { useRealtimeEvent } from '@citaplanner/realtime/react'
import { useState } from 'react'

const watched = [
  'appointment:created',
  'appointment:updated',
  'appointment:rescheduled',
  'appointment:deleted',
  'appointment:editing:started',
  'appointment:editing:stopped',
  'user:viewing:calendar',
  'notification:new',
  'calendar:refresh',
  'schedule:updated',
  'schedule:conflict',
  'system:alert',
] as const

/** The last event that came in, and how long the last that says when it was made has taken: server and page share this machine's clock. */
export function Pulsing() {
  const [last, setLast] = useState<{ event: string; took: number | null; n: number } | null>(null)
  const came = (event: string, payload: unknown) => {
    const made = Date.parse((payload as { timestamp?: string } | null)?.timestamp ?? '')
    const took = Number.isNaN(made) ? null : Math.max(0, Date.now() - made)
    setLast((l) => ({ event, took: took ?? l?.took ?? null, n: (l?.n ?? 0) + 1 }))
  }
  return (
    <footer className="pulsing">
      {watched.map((event) => (
        <Listener key={event} event={event} came={came} />
      ))}
      {last ? (
        <>
          <span key={last.n} className="dot" aria-hidden />
          <code>{last.event}</code>
          {last.took !== null && <span>llegó en {last.took} ms</span>}
        </>
      ) : (
        <span>Sin eventos todavía</span>
      )}
    </footer>
  )
}

function Listener({ event, came }: { event: string; came: (event: string, payload: unknown) => void }) {
  useRealtimeEvent(event, (payload: unknown) => came(event, payload))
  return null
}
