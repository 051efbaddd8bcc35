'use client'

import { useEffect, useState } from 'react'

const switches: [string, string][] = [
  ['enablePushNotifications', 'Notificaciones en tiempo real'],
  ['enableToastNotifications', 'Avisos en pantalla'],
  ['enableSounds', 'Sonidos'],
  ['notifyAppointmentCreated', 'Citas nuevas'],
  ['notifyAppointmentUpdated', 'Cambios en citas'],
  ['notifyAppointmentCancelled', 'Citas canceladas'],
  ['notifyAppointmentReminder', 'Recordatorios'],
  ['notifyScheduleChanges', 'Cambios de horario'],
  ['notifySystemAlerts', 'Avisos del sistema'],
]

/** Sends the whole row back, as it was given. */
export function Preferences() {
  const [row, setRow] = useState<Record<string, unknown> | null>(null)
  const [state, setState] = useState('')

  useEffect(() => {
    fetch('/api/notifications/preferences')
      .then((answer) => answer.json())
      .then((answer) => setRow(answer.preferences))
  }, [])

  async function save() {
    const answer = await fetch('/api/notifications/preferences', {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(row),
    })
    setState(answer.ok ? 'Preferencias guardadas' : 'No se pudieron guardar')
  }

  if (!row) return <p>Cargando…</p>
  return (
    <section>
      <h1>Preferencias</h1>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          save()
        }}
      >
        {switches.map(([name, label]) => (
          <label key={name} className="switch">
            <input type="checkbox" checked={Boolean(row[name])} onChange={(e) => setRow({ ...row, [name]: e.target.checked })} />
            {label}
          </label>
        ))}
        <button type="submit">Guardar</button>
        <p role="status">{state}</p>
      </form>
    </section>
  )
}
