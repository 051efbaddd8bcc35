'use client'

import { useEffect, type ReactNode } from 'react'

import { useSocket } from '@/hooks/useSocket'
import { fromEvent, fromRow, useNotifications } from '@/store/notifications'

/** Loads the list and keeps the store up to date. Its listeners are attached when something re-renders it while its socket is connected. */
export function NotificationProvider({ children }: { children: ReactNode }) {
  const { isConnected, status, on, off } = useSocket()
  const { items, add, set, read, readAll, remove } = useNotifications()

  useEffect(() => {
    if (status !== 'authenticated') return
    fetch('/api/notifications?limit=50')
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status)))))
      .then((list) => set(list.notifications.map(fromRow)))
      .catch((error) => console.error('notifications:', error))
  }, [status, set])

  useEffect(() => {
    if (!isConnected) return
    const fresh = (n: any) => add(fromEvent(n))
    const wasRead = (p: any) => read(p.notificationId)
    const wasDeleted = (p: any) => remove(p.notificationId)
    const refresh = (p: any) => window.dispatchEvent(new CustomEvent('calendar:refresh', { detail: p }))
    on('notification:new', fresh)
    on('notification:read:success', wasRead)
    on('notification:read:all:success', readAll)
    on('notification:deleted', wasDeleted)
    on('calendar:refresh', refresh)
    return () => {
      off('notification:new', fresh)
      off('notification:read:success', wasRead)
      off('notification:read:all:success', readAll)
      off('notification:deleted', wasDeleted)
      off('calendar:refresh', refresh)
    }
  }, [isConnected, on, off, add, read, readAll, remove])

  return <div data-listening={isConnected} data-count={items.length}>{children}</div>
}
