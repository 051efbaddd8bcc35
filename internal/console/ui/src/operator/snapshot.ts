import { useEffect, useRef, useState } from 'react'

import { ask, Refused } from '../shared/api.js'

export interface WireEvent {
  seq: number
  at: string
  tenantId: string
  direction: 'in' | 'out'
  name: string
  peer: string
  sockets: number
  payload: unknown
}

export interface Histogram {
  bounds: number[]
  counts: number[]
}

type Measured = 'emit' | 'signIn' | 'http'

export interface Snapshot {
  me: { userId: string; name: string; tenantId: string; role: string }
  all: boolean
  demo: boolean
  now: string
  sockets: number
  tenants: Record<string, { count: number; users: string[] }>
  wire: { since: string; sent: number; deliveries: number; received: number; seq: number; events: WireEvent[] }
  /** What has not happened since the server's start is not there. */
  latency: Partial<Record<Measured, Histogram>>
  kinds: { name: string; event: string }[]
}

/** One moment of the last minute. */
export interface Moment {
  at: number
  sockets: number
  sent: number
  deliveries: number
  received: number
  latency: Snapshot['latency']
  trip: number
}

const every = 1000
const minute = 60
const mostEvents = 200

export interface Live {
  now: Snapshot | null
  moments: Moment[]
  events: WireEvent[]
  failed: Refused | null
}

/** Asks the server each second, while the page is looked at: what it keeps for us it forgets ten seconds after the last question. */
export function useLive(token: string | undefined): Live {
  const [live, setLive] = useState<Live>({ now: null, moments: [], events: [], failed: null })
  const after = useRef(0)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>
    let over = false
    const look = async () => {
      const began = performance.now()
      try {
        const now = await ask<Snapshot>(`operator?after=${after.current}`, { token })
        const trip = performance.now() - began
        if (over) return
        const { sent, deliveries, received, seq, events } = now.wire
        const anew = seq < after.current // the server has started anew, or nobody watched for a while
        after.current = seq
        const moment = { at: Date.parse(now.now), sockets: now.sockets, sent, deliveries, received, latency: now.latency, trip }
        setLive((l) => ({
          now,
          failed: null,
          moments: [...(anew || (l.moments.at(-1)?.sent ?? 0) > sent ? [] : l.moments), moment].slice(-minute),
          events: [...events.reverse(), ...l.events].slice(0, mostEvents),
        }))
      } catch (error) {
        if (!over) setLive((l) => ({ ...l, failed: error as Refused }))
      }
      timer = setTimeout(() => void look(), every)
    }
    const seen = () => {
      clearTimeout(timer)
      if (!document.hidden) void look()
    }
    seen()
    document.addEventListener('visibilitychange', seen)
    return () => {
      over = true
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', seen)
    }
  }, [token])
  return live
}

/** How often a second something was counted, between each two moments. */
export function rates(moments: readonly Moment[], of: (m: Moment) => number): number[] {
  return moments.slice(1).map((m, i) => {
    const before = moments[i]!
    const seconds = (m.at - before.at) / 1000
    return seconds > 0 ? Math.max(0, (of(m) - of(before)) / seconds) : 0
  })
}

/** The quantile of what was counted within the last minute, in milliseconds; null where nothing was. Interpolated within its bucket, as Prometheus does. */
export function quantile(moments: readonly Moment[], which: Measured, q: number): number | null {
  const last = moments.at(-1)?.latency[which]
  if (!last) return null
  const first = moments[0]?.latency[which]?.counts ?? []
  const counts = last.counts.map((n, i) => n - (first[i] ?? 0))
  const all = counts.at(-1) ?? 0
  if (all <= 0) return null
  const rank = q * all
  const at = counts.findIndex((n) => n >= rank)
  const upper = last.bounds[at]
  if (upper === undefined) return last.bounds.at(-1)! * 1000
  const lower = last.bounds[at - 1] ?? 0
  const below = counts[at - 1] ?? 0
  const inside = counts[at]! - below
  return (lower + (upper - lower) * (inside > 0 ? (rank - below) / inside : 1)) * 1000
}
