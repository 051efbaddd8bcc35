import { useEditing, type Editor } from '@citaplanner/realtime/react'
import { useEffect, useLayoutEffect, useRef, useState, type CSSProperties, type KeyboardEvent, type PointerEvent } from 'react'

import { Pencil } from '../shared/icons.js'
import { addDays, clock, closes, dayOf, lanes, longDay, opens, step, weekdayOf, within, type Appointment, type Slot, type Week } from './week.js'

interface GridProps {
  week: Week
  appointments: Appointment[]
  editors: Readonly<Record<string, Editor[]>>
  onMove: (appointment: Appointment, to: Slot) => void
  onOpen: (appointment: Appointment) => void
  onCreate: (slot: Slot) => void
}

/** An appointment under way to another slot, by pointer or keys. */
interface Moving extends Slot {
  id: string
}

const settles = 700 // milliseconds after the last key until a move by keys is meant
const hours = Array.from({ length: (closes - opens) / 60 }, (_, i) => opens + i * 60)

export function Grid({ week, appointments, editors, onMove, onOpen, onCreate }: GridProps) {
  const [moving, setMoving] = useState<Moving | null>(null)
  const columns = useRef<(HTMLDivElement | null)[]>([])
  const scroller = useRef<HTMLDivElement>(null)
  const settle = useRef<ReturnType<typeof setTimeout>>(undefined)
  const drag = useRef<{ a: Appointment; x: number; y: number; grab: number; to: Slot | null } | null>(null)
  const dragged = useRef(false)
  const focused = useRef('')
  const taken = useEditing(moving?.id)

  // What matters today is in sight, however small the window is.
  const shows = week.days.indexOf(week.today)
  useEffect(() => {
    const box = scroller.current
    const column = columns.current[Math.max(0, shows)]
    if (box && column) box.scrollLeft = column.offsetLeft - 52
  }, [shows, week.days[0]])
  useEffect(() => () => clearTimeout(settle.current), [])
  // On another day an appointment is another element: the focus goes with it, or the keys would move it no further.
  useLayoutEffect(() => {
    if (focused.current && document.activeElement === document.body)
      scroller.current?.querySelector<HTMLElement>(`[data-id="${CSS.escape(focused.current)}"]`)?.focus()
  })

  const slotAt = (x: number, y: number, minutes: number): Slot | null => {
    const index = columns.current.findIndex((column) => {
      const box = column?.getBoundingClientRect()
      return box !== undefined && x >= box.left && x < box.right
    })
    const box = columns.current[index]?.getBoundingClientRect()
    if (!box) return null
    const minute = opens + ((y - box.top) / box.height) * (closes - opens)
    return { date: week.days[index]!, minute: within(Math.round(minute / step) * step, minutes) }
  }

  // A finger scrolls; it moves an appointment by its form.
  const down = (event: PointerEvent, a: Appointment) => {
    dragged.current = false
    if (event.button !== 0 || event.pointerType === 'touch') return
    const box = event.currentTarget.getBoundingClientRect()
    drag.current = { a, x: event.clientX, y: event.clientY, grab: event.clientY - box.top, to: null }
  }
  const drags = (event: PointerEvent) => {
    const d = drag.current
    if (!d) return
    if (event.buttons === 0) return cancel() // let go of where nobody heard it
    if (!dragged.current && Math.hypot(event.clientX - d.x, event.clientY - d.y) < 5) return
    // By the scroller, which stays: the appointment is another element on another day. Not before: a captured click is none of the card's.
    if (!dragged.current) scroller.current?.setPointerCapture(event.pointerId)
    dragged.current = true
    d.to = slotAt(event.clientX, event.clientY - d.grab, d.a.minutes) ?? d.to
    if (d.to) setMoving({ id: d.a.id, ...d.to })
  }
  const up = () => {
    const d = drag.current
    drag.current = null
    setMoving(null)
    if (d?.to && (d.to.date !== d.a.date || d.to.minute !== d.a.minute)) onMove(d.a, d.to)
  }
  const cancel = () => {
    drag.current = null
    setMoving(null)
  }

  const keys = (event: KeyboardEvent, a: Appointment) => {
    if (event.key === 'Escape' && moving) {
      clearTimeout(settle.current)
      return cancel()
    }
    const steps: Record<string, [days: number, minutes: number]> = {
      ArrowUp: [0, -step],
      ArrowDown: [0, step],
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
    }
    const by = steps[event.key]
    if (!event.shiftKey || !by) return
    event.preventDefault()
    const from = moving?.id === a.id ? moving : a
    const date = addDays(from.date, by[0])
    const to = { date: week.days.includes(date) ? date : from.date, minute: within(from.minute + by[1], a.minutes) }
    setMoving({ id: a.id, ...to })
    clearTimeout(settle.current)
    settle.current = setTimeout(() => {
      setMoving(null)
      if (to.date !== a.date || to.minute !== a.minute) onMove(a, to)
    }, settles)
  }

  const shown = appointments.map((a) => (moving?.id === a.id ? { ...a, date: moving.date, minute: moving.minute } : a))
  const original = (id: string) => appointments.find((a) => a.id === id)!
  return (
    <div
      className="scroller"
      ref={scroller}
      role="region"
      aria-label="Semana"
      tabIndex={0}
      onPointerMove={drags}
      onPointerUp={up}
      onPointerCancel={cancel}
    >
      <div className="grid">
        <div className="corner" />
        {week.days.map((day) => (
          <div key={day} className="day-head" data-today={day === week.today || undefined}>
            <span>{weekdayOf(day)}</span> <strong>{dayOf(day)}</strong>
          </div>
        ))}
        <div className="hours" aria-hidden>
          {hours.map((minute) => (
            <span key={minute}>{clock(minute)}</span>
          ))}
        </div>
        {week.days.map((day, index) => {
          const mine = shown.filter((a) => a.date === day)
          const placed = lanes(mine)
          return (
            <div
              key={day}
              ref={(element) => void (columns.current[index] = element)}
              className="day"
              data-today={day === week.today || undefined}
              role="group"
              aria-label={longDay(day)}
              onClick={(event) => {
                // The button above the calendar does the same for who uses no pointer.
                const slot = event.target === event.currentTarget && slotAt(event.clientX, event.clientY - 12, step)
                if (slot) onCreate(slot)
              }}
            >
              {day === week.today && week.minute > opens && week.minute < closes && (
                <div className="now" style={{ top: percent(week.minute - opens) }} aria-hidden />
              )}
              {mine.map((a) => (
                <Card
                  key={a.id}
                  appointment={a}
                  place={placed.get(a.id)!}
                  moving={moving?.id === a.id}
                  editors={moving?.id === a.id ? taken : editors[a.id]}
                  onPointerDown={(event) => down(event, original(a.id))}
                  onFocus={() => (focused.current = a.id)}
                  onBlur={() => (focused.current = '')}
                  onKeyDown={(event) => keys(event, original(a.id))}
                  onClick={() => {
                    if (!dragged.current) onOpen(original(a.id))
                  }}
                />
              ))}
            </div>
          )
        })}
      </div>
    </div>
  )
}

const percent = (minutes: number) => `${(minutes / (closes - opens)) * 100}%`

interface CardProps {
  appointment: Appointment
  place: { lane: number; of: number }
  moving: boolean
  editors: Editor[] | undefined
  onPointerDown: (event: PointerEvent) => void
  onFocus: () => void
  onBlur: () => void
  onKeyDown: (event: KeyboardEvent) => void
  onClick: () => void
}

function Card({ appointment: a, place, moving, editors, ...handlers }: CardProps) {
  const style = {
    '--service': a.color,
    top: percent(a.minute - opens),
    height: percent(a.minutes),
    left: `${(place.lane / place.of) * 100}%`,
    width: `${100 / place.of}%`,
  } as CSSProperties
  const others = editors?.map((e) => e.name.split(' ')[0]).join(', ')
  return (
    <button
      type="button"
      className="card"
      data-id={a.id}
      style={style}
      data-moving={moving || undefined}
      data-edited={others ? true : undefined}
      data-status={a.status}
      data-short={a.minutes < 40 || undefined}
      aria-describedby="calendar-help"
      {...handlers}
    >
      {/* A change flashes once: the key makes it another element. */}
      <span key={`${a.date} ${a.minute} ${a.professionalId} ${a.status}`} className="flash" aria-hidden />
      <span className="card-client">{a.clientName}</span>
      <span className="card-when">
        <b>{clock(a.minute)}</b> {a.serviceName}
      </span>
      <span className="visually-hidden">con {a.professionalName}</span>
      {others && (
        <span className="card-editor">
          <Pencil /> {others} <span className="visually-hidden">la está editando</span>
        </span>
      )}
    </button>
  )
}
