// Components written as those in use are: each call of the hook opens a socket of its own, isConnected is a ref.
import { useCallback, useEffect, useRef, useState } from 'react'
import { io, type Socket } from 'socket.io-client'

/** Where the server is, and what a browser would send by itself: in a real one the cookie is empty. */
export const browser = { url: '', cookie: '' }

function useSocket() {
  const socket = useRef<Socket | null>(null)
  const connected = useRef(false)
  useEffect(() => {
    const s = io(browser.url, {
      path: '/api/socket',
      addTrailingSlash: false,
      auth: { token: '' },
      reconnection: true,
      reconnectionDelay: 1000,
      reconnectionAttempts: 5,
      extraHeaders: browser.cookie ? { cookie: browser.cookie, origin: browser.url } : undefined,
    })
    s.on('connect', () => void (connected.current = true))
    s.on('disconnect', () => void (connected.current = false))
    socket.current = s
    return () => void s.disconnect()
  }, [])
  const on = useCallback((event: string, listener: (p: any) => void) => void socket.current?.on(event, listener), [])
  const off = useCallback((event: string, listener: (p: any) => void) => void socket.current?.off(event, listener), [])
  const emit = useCallback((event: string, data?: unknown) => {
    if (connected.current) socket.current?.emit(event, data)
  }, [])
  return { on, off, emit }
}

type OldItem = { id: string; message: string; read: boolean }

/** The old bell: it listens at once, and marks as read with the bare id. */
export function OldBell() {
  const { on, off, emit } = useSocket()
  const [items, setItems] = useState<OldItem[]>([])
  useEffect(() => {
    const fresh = (n: any) =>
      setItems((all) => (all.some((i) => i.id === n.id) ? all : [{ id: n.id, message: n.message, read: false }, ...all]))
    const read = (p: any) => setItems((all) => all.map((i) => (i.id === p.notificationId ? { ...i, read: true } : i)))
    const all = () => setItems((all) => all.map((i) => ({ ...i, read: true })))
    on('notification:new', fresh)
    on('notification:read:success', read)
    on('notification:read:all:success', all)
    return () => off('notification:new', fresh)
  }, [on, off])
  return (
    <ul aria-label="vieja">
      {items.map((i) => (
        <li key={i.id}>
          {i.message} {i.read ? 'leída' : 'sin leer'}
          <button onClick={() => emit('notification:read', i.id)}>vieja: {i.message}</button>
        </li>
      ))}
    </ul>
  )
}

/** The old calendar: it counts what it would refetch for, the DOM event of the provider among it. */
export function OldCalendar() {
  const { on, off } = useSocket()
  const [count, setCount] = useState(0)
  useEffect(() => {
    const load = () => setCount((n) => n + 1)
    const events = [
      'appointment:created',
      'appointment:updated',
      'appointment:deleted',
      'appointment:rescheduled',
      'schedule:updated',
    ]
    events.forEach((event) => on(event, load))
    window.addEventListener('calendar:refresh', load)
    return () => {
      events.forEach((event) => off(event, load))
      window.removeEventListener('calendar:refresh', load)
    }
  }, [on, off])
  return <output aria-label="agenda vieja">{count}</output>
}
