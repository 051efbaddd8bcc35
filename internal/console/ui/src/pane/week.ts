/** What the server says of a week: days and minutes are those of the tenant's own clock, so no time zone is reckoned with here. */
export interface Week {
  zone: string
  today: string
  minute: number
  days: string[]
  appointments: Appointment[]
  clients: Choice[]
  services: Choice[]
  professionals: Choice[]
}

export interface Choice {
  id: string
  name: string
  minutes?: number
  color?: string
}

export interface Appointment {
  id: string
  date: string
  minute: number
  minutes: number
  status: string
  notes: string
  clientId: string
  clientName: string
  serviceId: string
  serviceName: string
  color: string
  professionalId: string
  professionalName: string
  branchName: string
}

/** Where an appointment is to be. */
export interface Slot {
  date: string
  minute: number
}

export const opens = 8 * 60
export const closes = 21 * 60
export const step = 15

export const clock = (minute: number) => `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`

export function minuteOf(clock: string): number | null {
  const [h, m] = clock.split(':').map(Number)
  return h === undefined || m === undefined || Number.isNaN(h + m) ? null : h * 60 + m
}

// A day without a time is a day in UTC for Date: it has to be written in UTC, too.
const format = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat('es', { timeZone: 'UTC', ...options })
const weekday = format({ weekday: 'short' })
const dayMonth = format({ day: 'numeric', month: 'short' })
const long = format({ weekday: 'long', day: 'numeric', month: 'long' })

export const weekdayOf = (day: string) => weekday.format(new Date(day)).replace('.', '')
export const dayOf = (day: string) => Number(day.slice(8))
export const longDay = (day: string) => long.format(new Date(day))
export const range = (days: string[]) => `${dayMonth.format(new Date(days[0]!))} – ${dayMonth.format(new Date(days.at(-1)!))}`

export function addDays(day: string, n: number): string {
  const date = new Date(day)
  date.setUTCDate(date.getUTCDate() + n)
  return date.toISOString().slice(0, 10)
}

/** The lane of each of a day's appointments, and how many lanes there are beside it: those at the same time stand side by side. */
export function lanes(day: readonly Appointment[]): Map<string, { lane: number; of: number }> {
  const placed = new Map<string, { lane: number; of: number }>()
  let group: { lane: number; of: number }[] = []
  let ends: number[] = []
  for (const a of [...day].sort((x, y) => x.minute - y.minute || x.id.localeCompare(y.id))) {
    if (ends.every((end) => end <= a.minute)) {
      group = []
      ends = []
    }
    const free = ends.findIndex((end) => end <= a.minute)
    const place = { lane: free < 0 ? ends.length : free, of: 0 }
    ends[place.lane] = a.minute + a.minutes
    group.push(place)
    placed.set(a.id, place)
    group.forEach((p) => (p.of = ends.length))
  }
  return placed
}

/** Keeps an appointment within what is shown of a day. */
export const within = (minute: number, minutes: number) => Math.min(Math.max(minute, opens), closes - minutes)
