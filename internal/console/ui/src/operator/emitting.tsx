import { useSocket } from '@citaplanner/realtime/react'
import { useEffect, useRef, useState } from 'react'

import { ask } from '../shared/api.js'
import { type Snapshot } from './snapshot.js'

/** What a body looks like; the ids are the demo's, in production they are to be filled in. */
function sample(kind: string, { me, demo }: Snapshot): object {
  const tenantId = me.tenantId
  const appointmentId = demo ? (tenantId === 'demo-mirasol' ? 'demo-cita-7' : 'demo-cita-1') : 'ID DE UNA CITA'
  const professionalId = demo ? (tenantId === 'demo-mirasol' ? 'demo-ines' : 'demo-laura') : 'ID DE UN PROFESIONAL'
  const hour = (n: number) => new Date(Math.floor(Date.now() / 3_600_000 + n) * 3_600_000).toISOString()
  const bodies: Record<string, object> = {
    'appointments/created': { appointmentId, tenantId, actorId: me.userId },
    'appointments/updated': { appointmentId, tenantId, actorId: me.userId, changes: { status: 'CONFIRMED' } },
    'appointments/deleted': {
      tenantId,
      actorId: me.userId,
      appointmentData: { id: appointmentId, clientName: 'Carmen Rodríguez Mora', professionalId },
    },
    'appointments/rescheduled': { appointmentId, tenantId, actorId: me.userId, oldStartTime: hour(1), oldEndTime: hour(2) },
    'appointments/reminder': { appointmentId, tenantId, minutesBefore: 60 },
    'schedule/updated': { professionalId, tenantId, actorId: me.userId, schedule: { monday: '09:00-18:00' } },
    'schedule/conflict': { professionalId, tenantId, conflict: { reason: 'Dos citas a la misma hora' } },
    'calendar/refresh': { tenantId, reason: 'console' },
    'system/alert': { tenantId, message: 'Mantenimiento esta noche a las 23:00', severity: 'info' },
    notification: { tenantId, userId: me.userId, type: 'payment:received', message: 'Pago recibido: $350.00' },
    tenant: { tenantId, event: 'commission:earned', data: { amount: 120, description: 'Comisión de hoy' } },
    user: { tenantId, userId: me.userId, event: 'commission:earned', data: { amount: 120 } },
    role: { tenantId, role: 'ADMIN', event: 'commission:earned', data: { amount: 120 } },
  }
  return bodies[kind] ?? { tenantId }
}

/** Buttons that emit each event in the operator's own tenant. One click does it with the demo's data; elsewhere the body comes first. */
export function Emitting({ now, token }: { now: Snapshot; token: string | undefined }) {
  const [kind, setKind] = useState(now.kinds[0]!.name)
  const [body, setBody] = useState(() => JSON.stringify(sample(now.kinds[0]!.name, now), null, 2))
  const [said, setSaid] = useState<{ ok: boolean; text: string } | null>(null)
  const arrived = useArrival(now.kinds.find((k) => k.name === kind)?.event)

  const emit = async (which: string, text: string) => {
    let parsed: unknown
    try {
      parsed = JSON.parse(text)
    } catch {
      return setSaid({ ok: false, text: 'El cuerpo no es JSON válido.' })
    }
    const began = performance.now()
    arrived.current = 0
    try {
      const result = await ask<{ delivered: { sockets: number }; notifications: string[] }>(`operator/emit/${which}`, {
        method: 'POST',
        token,
        body: parsed,
      })
      const took = Math.round(performance.now() - began)
      const here = arrived.current ? `; llegó a esta página en ${Math.round(arrived.current - began)} ms` : ''
      setSaid({
        ok: true,
        text: `${some(result.delivered.sockets, 'socket')}, ${some(result.notifications.length, 'notificación', 'notificaciones')}, ${took} ms${here}`,
      })
    } catch (error) {
      setSaid({ ok: false, text: (error as Error).message })
    }
  }
  const choose = (which: string) => {
    const text = JSON.stringify(sample(which, now), null, 2)
    setKind(which)
    setBody(text)
    setSaid(null)
    if (now.demo) void emit(which, text)
  }

  return (
    <section className="box" aria-labelledby="emitting">
      <h2 id="emitting">Emitir</h2>
      <p className="note">
        {now.demo ? 'Un clic emite' : 'Elige un evento y emítelo'} en <code>{now.me.tenantId}</code>, como lo haría una ruta de la app.
      </p>
      <div className="kinds">
        {now.kinds.map((k) => (
          <button key={k.name} type="button" className="kind" aria-pressed={k.name === kind} onClick={() => choose(k.name)}>
            {k.name}
          </button>
        ))}
      </div>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void emit(kind, body)
        }}
      >
        <label className="field">
          Cuerpo de {kind}
          <textarea rows={7} spellCheck={false} value={body} onChange={(event) => setBody(event.target.value)} />
        </label>
        <div className="emit-foot">
          <p role="status" data-failed={said && !said.ok ? true : undefined}>
            {said?.text}
          </p>
          <button type="submit" className="button button--main">
            Emitir
          </button>
        </div>
      </form>
    </section>
  )
}

const some = (n: number, one: string, more = `${one}s`) => `${n} ${n === 1 ? one : more}`

/** When the event last came to this page's own socket, in milliseconds of performance.now(). */
function useArrival(event: string | undefined) {
  const { on } = useSocket()
  const at = useRef(0)
  useEffect(() => (event ? on(event, () => (at.current = performance.now())) : undefined), [on, event])
  return at
}
