'use client'

import { useEffect, useMemo, useRef, type ReactNode } from 'react'
import { toast } from 'sonner'

import { InboxContext } from './use-notifications.js'
import { Inbox } from './inbox.js'
import { keyOf, type Item } from './item.js'
import { useLatest } from './latest.js'
import { useConnectionState, useRealtime, useRealtimeEvent } from './realtime.js'
import { Requests } from './requests.js'
import { NotificationToasts, toasterId, type ToastsProps } from './toasts.js'

export interface NotificationProviderProps extends ToastsProps {
  children?: ReactNode
  /** Notifications of one page. Default: 20; at most 100. */
  pageSize?: number
  /** false shows no toasts; render NotificationToasts yourself where they should be elsewhere. */
  toasts?: boolean
  /** Called with each new notification. */
  onNotification?: (item: Item) => void
}

/** Holds the user's notifications for everything below, and shows toasts. Needs the page's connection: put it below RealtimeProvider. */
export function NotificationProvider({
  children,
  pageSize = 20,
  toasts = true,
  onNotification,
  ...toastsProps
}: NotificationProviderProps) {
  const { connection, token, texts } = useRealtime()
  const shown = useLatest(texts)
  const inbox = useMemo(
    () =>
      new Inbox(connection, new Requests(connection.url, token), pageSize, (failure) =>
        toast.error(shown.current[failure], { toasterId }),
      ),
    [connection, token, pageSize, shown],
  )
  const latest = useLatest(onNotification)
  useEffect(() => inbox.listen(), [inbox])
  useEffect(() => inbox.onNew((item) => latest.current?.(item)), [inbox, latest])
  useLoading(inbox)

  // What calendars written for the old provider listen to.
  useRealtimeEvent('calendar:refresh', (detail) => void window.dispatchEvent(new CustomEvent('calendar:refresh', { detail })))

  return (
    <InboxContext.Provider value={inbox}>
      {children}
      {toasts && <NotificationToasts {...toastsProps} />}
    </InboxContext.Provider>
  )
}

const patience = 1500

/**
 * Loads once the socket is there, so that nothing can happen between the list and the listening, and again whenever it comes
 * back. Without a socket it loads after a moment: a list is better than none.
 */
function useLoading(inbox: Inbox): void {
  const { session } = useRealtime()
  const status = useConnectionState((s) => s.status)
  const connects = useConnectionState((s) => s.connects)
  const user = useConnectionState((s) => s.user?.userId)
  const of = useRef(user)
  const signedIn = session ? session.status === 'authenticated' : status !== 'refused' && status !== 'idle'
  const signedOut = status === 'refused' || session?.status === 'unauthenticated'

  useEffect(() => {
    if (signedOut || (user && of.current && user !== of.current)) inbox.clear() // what was one user's is not shown to the next
    if (user && user !== of.current && of.current) void inbox.loadPreferences()
    of.current = user ?? of.current
  }, [inbox, user, signedOut])
  useEffect(() => {
    if (connects > 0 && user) void inbox.resync()
  }, [inbox, connects, user])
  useEffect(() => {
    if (!signedIn) return
    if (!inbox.store.getState().preferences) void inbox.loadPreferences()
    const timer = setTimeout(() => {
      if (!inbox.store.getState().lists[keyOf({})]) void inbox.load()
    }, patience)
    return () => clearTimeout(timer)
  }, [inbox, signedIn])
}
