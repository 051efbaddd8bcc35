import { useCalendar, useEditors, useRealtimeEvent, useSocket } from '@citaplanner/realtime/react'
import { useCallback, useEffect, useState } from 'react'

import { ask, initials, type Session } from '../shared/api.js'
import { Eye, Left, Plus, Right } from '../shared/icons.js'
import { Editor, type Draft } from './editor.js'
import { Grid } from './grid.js'
import { addDays, range, type Appointment, type Slot, type Week } from './week.js'

/** The first day of the week that is shown; empty is this week, which the server knows. */
function useWeek(token: string) {
  const [monday, setMonday] = useState('')
  const load = useCallback(
    async ({ date, signal }: { date: string; signal: AbortSignal }) => {
      const week = await ask<Week>(`demo/week?date=${date}`, { token, signal })
      if (!date) setMonday(week.days[0]!) // from now on by its name, as the others say it
      return week
    },
    [token],
  )
  return { ...useCalendar({ date: monday, viewType: 'week', load }), monday, setMonday }
}

export function Calendar({ session }: { session: Session }) {
  const { data: week, error, refetch, viewers, monday, setMonday } = useWeek(session.token)
  const editors = useEditors()
  const [draft, setDraft] = useState<Draft | null>(null)
  const [moved, setMoved] = useState<Record<string, Slot>>({})
  const [said, setSaid] = useState('')
  const { emit } = useSocket()

  // Who comes later was not told: it is said again. In a tenant of hundreds that would be a storm; here are a few.
  useRealtimeEvent('user:online', () => monday && emit('calendar:viewing', { date: monday, viewType: 'week' }))

  // What was moved here is shown where it was put, until the week that is loaded says the same.
  useEffect(() => {
    const late = (all: Record<string, Slot>) =>
      Object.entries(all).filter(([id, to]) => week?.appointments.some((a) => a.id === id && (a.date !== to.date || a.minute !== to.minute)))
    setMoved((all) => (late(all).length === Object.keys(all).length ? all : Object.fromEntries(late(all))))
  }, [week])
  const move = async (a: Appointment, to: Slot) => {
    const letGo = () => setMoved(({ [a.id]: slot, ...rest }) => (slot === to ? rest : { ...rest, ...(slot && { [a.id]: slot }) }))
    setMoved((all) => ({ ...all, [a.id]: to }))
    try {
      await ask(`demo/appointments/${a.id}`, { method: 'PATCH', token: session.token, body: to })
      setSaid(`Cita de ${a.clientName} movida`)
      setTimeout(letGo, 5000) // somebody else may have moved it on by then
    } catch (failure) {
      setSaid(`No se pudo mover la cita: ${(failure as Error).message}`)
      letGo()
    }
  }

  if (!week) {
    return (
      <div className="message" role="status">
        {error ? (
          <>
            <p>No se pudo cargar la agenda: {(error as Error).message}</p>
            <button type="button" className="button" onClick={refetch}>
              Intentar de nuevo
            </button>
          </>
        ) : (
          'Cargando la agenda…'
        )}
      </div>
    )
  }
  const appointments = week.appointments.map((a) => ({ ...a, ...moved[a.id] }))
  const first = week.days[0]!
  return (
    <div className="calendar">
      <h1 className="visually-hidden">Agenda de {session.me.name}</h1>
      <div className="tools">
        <div className="weeks">
          <button type="button" className="icon-button" aria-label="Semana anterior" onClick={() => setMonday(addDays(first, -7))}>
            <Left />
          </button>
          <button type="button" className="button" onClick={() => setMonday('')}>
            Hoy
          </button>
          <button type="button" className="icon-button" aria-label="Semana siguiente" onClick={() => setMonday(addDays(first, 7))}>
            <Right />
          </button>
        </div>
        <h2>{range(week.days)}</h2>
        <div className="viewers" aria-live="polite">
          {viewers.length > 0 && (
            <>
              <Eye />
              {viewers.map((v) => (
                <span key={v.userId} className="viewer" title={`${v.name} está mirando esta semana`}>
                  <span aria-hidden>{initials(v.name)}</span>
                  <span className="visually-hidden">{v.name} está mirando esta semana</span>
                </span>
              ))}
            </>
          )}
        </div>
        <button
          type="button"
          className="button button--main"
          onClick={() => setDraft({ kind: 'new', slot: { date: week.days.includes(week.today) ? week.today : first, minute: 11 * 60 } })}
        >
          <Plus /> <span>Nueva cita</span>
        </button>
      </div>
      <p id="calendar-help" className="visually-hidden">
        Intro abre la cita. Mayúsculas y flechas la mueven: arriba y abajo un cuarto de hora, izquierda y derecha un día.
      </p>
      <Grid
        week={week}
        appointments={appointments}
        editors={editors}
        onMove={(a, to) => void move(a, to)}
        onOpen={(a) => setDraft({ kind: 'edit', appointment: a })}
        onCreate={(slot) => setDraft({ kind: 'new', slot })}
      />
      <p className="visually-hidden" role="status">
        {said}
      </p>
      {draft && (
        <Editor
          key={draft.kind === 'edit' ? draft.appointment.id : 'new'}
          draft={draft}
          week={week}
          token={session.token}
          onClose={(message) => {
            setDraft(null)
            if (message) setSaid(message)
          }}
        />
      )}
    </div>
  )
}
