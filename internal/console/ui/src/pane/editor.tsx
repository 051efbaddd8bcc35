import { EditingGuard } from '@citaplanner/realtime/react'
import { useEffect, useId, useRef, useState, type FormEvent } from 'react'

import { ask } from '../shared/api.js'
import { clock, closes, longDay, minuteOf, opens, type Appointment, type Slot, type Week } from './week.js'

export type Draft = { kind: 'new'; slot: Slot } | { kind: 'edit'; appointment: Appointment }

interface EditorProps {
  draft: Draft
  week: Week
  token: string
  onClose: (message?: string) => void
}

/** The form of an appointment. As long as it is open the others see who edits, and the form says who else does. */
export function Editor({ draft, week, token, onClose }: EditorProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const old = draft.kind === 'edit' ? draft.appointment : null
  const slot = draft.kind === 'edit' ? draft.appointment : draft.slot
  const [clientId, setClient] = useState(old?.clientId ?? week.clients[0]!.id)
  const [serviceId, setService] = useState(old?.serviceId ?? week.services[0]!.id)
  const [userId, setUser] = useState(old?.professionalId ?? week.professionals[0]!.id)
  const [date, setDate] = useState(slot.date)
  const [time, setTime] = useState(clock(slot.minute))
  const [notes, setNotes] = useState(old?.notes ?? '')
  const minutes = old?.minutes ?? week.services.find((s) => s.id === serviceId)?.minutes ?? 0 // what begins later would not be seen
  const [failed, setFailed] = useState('')
  const [busy, setBusy] = useState(false)
  const [sure, setSure] = useState(false)
  const title = useId()
  const done = useRef<string>(undefined)

  useEffect(() => dialog.current?.showModal(), [])
  // By the dialog itself, which gives the focus back to where it came from.
  const close = (message?: string) => {
    done.current = message
    dialog.current?.close()
  }

  const send = async (method: string, path: string, body: object, message: string) => {
    setBusy(true)
    try {
      await ask(path, { method, token, body })
      close(message)
    } catch (error) {
      setFailed((error as Error).message)
      setBusy(false)
    }
  }
  const save = (event: FormEvent) => {
    event.preventDefault()
    const minute = minuteOf(time)
    if (minute === null || !date) return
    if (!old) {
      void send('POST', 'demo/appointments', { clientId, serviceId, userId, date, minute, notes }, 'Cita creada')
      return
    }
    const changed = {
      ...(date !== old.date && { date }),
      ...(minute !== old.minute && { minute }),
      ...(userId !== old.professionalId && { userId }),
      ...(notes !== old.notes && { notes }),
    }
    if (Object.keys(changed).length === 0) return close()
    void send('PATCH', `demo/appointments/${old.id}`, changed, 'Cita guardada')
  }

  return (
    <dialog ref={dialog} className="editor" aria-labelledby={title} onClose={() => onClose(done.current)}>
      <h2 id={title}>{old ? old.clientName : 'Nueva cita'}</h2>
      <p className="editor-about">{old ? `${old.serviceName} · ${longDay(old.date)}, ${clock(old.minute)}` : longDay(date || slot.date)}</p>
      <EditingGuard appointmentId={old?.id}>
        <form onSubmit={save}>
          {!old && (
            <>
              <Choose label="Cliente" value={clientId} onChange={setClient} options={week.clients} />
              <Choose
                label="Servicio"
                value={serviceId}
                onChange={setService}
                options={week.services.map((s) => ({ id: s.id, name: `${s.name} · ${s.minutes} min` }))}
              />
            </>
          )}
          <Choose label="Profesional" value={userId} onChange={setUser} options={week.professionals} />
          <div className="editor-when">
            <label className="field">
              Día
              <input type="date" required value={date} onChange={(event) => setDate(event.target.value)} />
            </label>
            <label className="field">
              Hora
              <input type="time" required min={clock(opens)} max={clock(closes - minutes)} step={300} value={time} onChange={(event) => setTime(event.target.value)} />
            </label>
          </div>
          <label className="field">
            Notas
            <textarea rows={2} maxLength={500} value={notes} onChange={(event) => setNotes(event.target.value)} />
          </label>
          {failed && (
            <p role="alert" className="editor-failed">
              {failed}
            </p>
          )}
          <div className="editor-foot">
            {old && (
              <button
                type="button"
                className="button button--danger"
                disabled={busy}
                onClick={() =>
                  sure ? void send('PATCH', `demo/appointments/${old.id}`, { status: 'CANCELLED' }, 'Cita cancelada') : setSure(true)
                }
              >
                {sure ? '¿Seguro? Cancelar' : 'Cancelar cita'}
              </button>
            )}
            <span className="editor-space" />
            <button type="button" className="button" onClick={() => close()}>
              Cerrar
            </button>
            <button type="submit" className="button button--main" disabled={busy}>
              {old ? 'Guardar' : 'Crear cita'}
            </button>
          </div>
        </form>
      </EditingGuard>
    </dialog>
  )
}

interface ChooseProps {
  label: string
  value: string
  onChange: (value: string) => void
  options: { id: string; name: string }[]
}

function Choose({ label, value, onChange, options }: ChooseProps) {
  return (
    <label className="field">
      {label}
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map((o) => (
          <option key={o.id} value={o.id}>
            {o.name}
          </option>
        ))}
      </select>
    </label>
  )
}
