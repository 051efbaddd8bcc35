import { useDeferredValue, useState } from 'react'

import { Down, Up } from '../shared/icons.js'
import { type WireEvent } from './snapshot.js'

const time = new Intl.DateTimeFormat('es', { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 })

/** The last events, the newest first. */
export function Wire({ events, all }: { events: WireEvent[]; all: boolean }) {
  const [held, setHeld] = useState<WireEvent[] | null>(null)
  const [filter, setFilter] = useState('')
  const wanted = useDeferredValue(filter.trim().toLowerCase())
  const shown = (held ?? events).filter((e) => !wanted || `${e.name} ${e.peer} ${e.tenantId}`.toLowerCase().includes(wanted))
  return (
    <section className="box wire" aria-labelledby="wire">
      <div className="box-head">
        <h2 id="wire">Últimos eventos</h2>
        <input
          type="search"
          aria-label="Filtrar eventos"
          placeholder="Filtrar…"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
        <button type="button" className="button" aria-pressed={held !== null} onClick={() => setHeld(held ? null : events)}>
          {held ? 'Continuar' : 'Pausar'}
        </button>
      </div>
      {shown.length === 0 ? (
        <p className="empty">Todavía no ha pasado ningún evento mientras esta página mira.</p>
      ) : (
        <ol className="events" tabIndex={0} aria-label="Eventos">
          {shown.map((e) => (
            <li key={`${e.seq} ${e.at}`}>
              <details>
                <summary>
                  <span className="way" data-way={e.direction} title={e.direction === 'in' ? 'de un cliente' : 'a clientes'}>
                    {e.direction === 'in' ? <Up /> : <Down />}
                    <span className="visually-hidden">{e.direction === 'in' ? 'recibido' : 'enviado'}</span>
                  </span>
                  <time dateTime={e.at}>{time.format(new Date(e.at))}</time>
                  <code>{e.name}</code>
                  <span className="peer">
                    {all && !e.peer.endsWith(e.tenantId) && `${e.tenantId} · `}
                    {e.peer}
                  </span>
                  {e.direction === 'out' && <span className="count">×{e.sockets}</span>}
                </summary>
                <pre tabIndex={0} aria-label={`Contenido de ${e.name}`}>
                  {e.payload === null ? 'sin contenido, o demasiado grande' : JSON.stringify(e.payload, null, 2)}
                </pre>
              </details>
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}
