'use client'

import { useCallback, useEffect, useMemo, useRef, useState } from 'react'

import type { ServerEvent } from '../contract.js'

import { useLatest } from './latest.js'
import { useConnectionState, useRealtime } from './realtime.js'

/** The events after which a calendar is out of date. */
export const calendarEvents = [
  'appointment:created',
  'appointment:updated',
  'appointment:deleted',
  'appointment:rescheduled',
  'schedule:updated',
  'calendar:refresh',
] as const satisfies readonly ServerEvent[]

const together = 150 // milliseconds: what comes in a burst is one refetch

/**
 * Calls refetch when something happened that a calendar shows, and when the connection is back after events may have been
 * missed. A burst is one call.
 */
export function useCalendarRefetch(refetch: () => void): void {
  const { connection } = useRealtime()
  const connects = useConnectionState((s) => s.connects)
  const first = useRef(connects)
  const latest = useLatest(refetch)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const soon = () => {
      timer ??= setTimeout(() => {
        timer = undefined
        latest.current()
      }, together)
    }
    const offs = calendarEvents.map((event) => connection.on(event, soon))
    return () => {
      clearTimeout(timer)
      offs.forEach((off) => off())
    }
  }, [connection, latest])
  useEffect(() => {
    // Each connect since the component came, the first among them: nobody was told of what happened between its load and that.
    if (connects > 0 && connects !== first.current) latest.current()
    first.current = connects
  }, [connects, latest])
}

export interface UseCalendarOptions<T> {
  /** The day shown, yyyy-MM-dd. */
  date: string
  /** How, such as day, week or month. */
  viewType: string
  /** Loads what is shown. A new date or view calls it anew; the signal ends what is too late. */
  load: (view: { date: string; viewType: string; signal: AbortSignal }) => Promise<T>
}

export interface UseCalendar<T> {
  /** undefined until it was loaded once; the last good answer while it is loaded anew. */
  data: T | undefined
  error: unknown
  loading: boolean
  refetch: () => void
  /** Who of the others looks at the same day in the same way. */
  viewers: { userId: string; name: string }[]
}

/** A calendar's data, loaded anew when something in it changes; it tells the others what is looked at, and who else looks at it. */
export function useCalendar<T>({ date, viewType, load }: UseCalendarOptions<T>): UseCalendar<T> {
  const { connection, nameOf } = useRealtime()
  const [state, setState] = useState<{ data?: T; error?: unknown; loading: boolean }>({ loading: true })
  const latest = useLatest(load)
  const running = useRef<AbortController | null>(null)

  const refetch = useCallback(() => {
    running.current?.abort()
    const mine = (running.current = new AbortController())
    setState((s) => ({ ...s, loading: true }))
    latest.current({ date, viewType, signal: mine.signal }).then(
      (data) => mine.signal.aborted || setState({ data, loading: false }),
      (error: unknown) => mine.signal.aborted || setState((s) => ({ data: s.data, error, loading: false })),
    )
  }, [date, viewType, latest])

  useEffect(() => {
    refetch()
    return () => running.current?.abort()
  }, [refetch])
  useCalendarRefetch(refetch)
  useEffect(() => connection.announce(['calendar:viewing', { date, viewType }]), [connection, date, viewType])

  const viewing = useConnectionState((s) => s.viewing)
  const me = useConnectionState((s) => s.user?.userId)
  const viewers = useMemo(
    () =>
      Object.entries(viewing)
        .filter(([userId, view]) => userId !== me && view.date === date && view.viewType === viewType)
        .map(([userId]) => ({ userId, name: nameOf(userId) })),
    [viewing, me, date, viewType, nameOf],
  )
  return { data: state.data, error: state.error, loading: state.loading, refetch, viewers }
}
