'use client'

import { useCallback, useEffect, useState } from 'react'

import { useSocket } from '@/hooks/useSocket'

type Option = { id: string; name: string }
type Appointment = { id: string; startTime: string; status: string; clientName: string; serviceName: string; professionalName: string; color: string }
type Day = { appointments: Appointment[]; clients: Option[]; services: Option[]; professionals: Option[] }

const refetching = ['appointment:created', 'appointment:updated', 'appointment:deleted', 'appointment:rescheduled', 'schedule:updated']

/** A day's appointments and the form of a new one. It refetches when something happens. */
export function Calendar() {
  const { status, on, off, emit } = useSocket()
  const [date, setDate] = useState(() => new Date().toISOString().slice(0, 10))
  const [day, setDay] = useState<Day | null>(null)
  const [problem, setProblem] = useState('')

  const load = useCallback(async () => {
    const answer = await fetch(`/api/appointments?date=${date}`)
    if (answer.ok) setDay(await answer.json())
  }, [date])

  useEffect(() => {
    load()
    emit('calendar:viewing', { date, viewType: 'day' })
  }, [load, emit, date])

  useEffect(() => {
    refetching.forEach((event) => on(event, load))
    window.addEventListener('calendar:refresh', load)
    return () => {
      refetching.forEach((event) => off(event, load))
      window.removeEventListener('calendar:refresh', load)
    }
  }, [status, on, off, load])

  async function create(form: FormData) {
    const answer = await fetch('/api/appointments', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ ...Object.fromEntries(form), startTime: `${date}T${form.get('time')}:00.000Z` }),
    })
    setProblem(answer.ok ? '' : (await answer.json()).error)
  }

  return (
    <section className="calendar">
      <div>
        <h1>Agenda</h1>
        <label>
          Día <input type="date" value={date} onChange={(e) => e.target.value && setDate(e.target.value)} />
        </label>
        {day?.appointments.length === 0 && <p>No hay citas este día</p>}
        <ul aria-label="Citas del día">
          {day?.appointments.map((a) => (
            <li key={a.id} className={a.status === 'CANCELLED' ? 'cancelled' : ''} style={{ borderColor: a.color }}>
              <time dateTime={a.startTime}>{a.startTime.slice(11, 16)}</time>
              <div>
                <strong>{a.clientName}</strong>
                <p>
                  {a.serviceName} con {a.professionalName}
                </p>
              </div>
              {a.status !== 'CANCELLED' && (
                <button type="button" onClick={() => fetch(`/api/appointments/${a.id}`, { method: 'DELETE' })}>
                  Cancelar
                </button>
              )}
            </li>
          ))}
        </ul>
      </div>
      <form
        aria-label="Nueva cita"
        onSubmit={(e) => {
          e.preventDefault()
          create(new FormData(e.currentTarget))
        }}
      >
        <h2>Nueva cita</h2>
        {(
          [
            ['clientId', 'Cliente', day?.clients],
            ['serviceId', 'Servicio', day?.services],
            ['userId', 'Profesional', day?.professionals],
          ] as const
        ).map(([name, label, options]) => (
          <label key={name}>
            {label}
            <select name={name} required>
              {options?.map((o) => (
                <option key={o.id} value={o.id}>
                  {o.name}
                </option>
              ))}
            </select>
          </label>
        ))}
        <label>
          Hora (UTC)
          <input type="time" name="time" defaultValue="16:00" required />
        </label>
        <button type="submit">Crear cita</button>
        {problem && <p role="alert">{problem}</p>}
      </form>
    </section>
  )
}
