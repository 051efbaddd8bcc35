'use client'

import Link from 'next/link'
import { useEffect, useState } from 'react'

import { useSocket } from '@/hooks/useSocket'
import { fromEvent, useNotifications } from '@/store/notifications'

/** The badge and the last five. It listens at once. */
export function NotificationBell() {
  const { status, on, off, emit } = useSocket()
  const { items, add, read, readAll } = useNotifications()
  const [open, setOpen] = useState(false)
  const unread = items.filter((i) => !i.read).length

  useEffect(() => {
    const fresh = (n: any) => add(fromEvent(n))
    on('notification:new', fresh)
    return () => off('notification:new', fresh)
  }, [status, on, off, add])

  return (
    <div className="bell">
      <button type="button" aria-expanded={open} aria-label={`Notificaciones, ${unread} sin leer`} onClick={() => setOpen(!open)}>
        <svg aria-hidden width="20" height="20" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round">
          <path d="M6 8a6 6 0 0 1 12 0c0 7 3 9 3 9H3s3-2 3-9" />
          <path d="M10.3 21a1.94 1.94 0 0 0 3.4 0" />
        </svg>
        {unread > 0 && <span className="badge">{unread}</span>}
      </button>
      {open && (
        <div className="dropdown" role="region" aria-label="Últimas notificaciones">
          {items.length === 0 && <p>No hay notificaciones</p>}
          <ul>
            {items.slice(0, 5).map((i) => (
              <li key={i.id} className={i.read ? '' : 'unread'}>
                <span>{i.message}</span>
                {!i.read && (
                  <button
                    type="button"
                    aria-label={`Marcar como leída: ${i.message}`}
                    onClick={() => {
                      read(i.id)
                      emit('notification:read', i.id)
                    }}
                  >
                    Leída
                  </button>
                )}
              </li>
            ))}
          </ul>
          <footer>
            <button
              type="button"
              onClick={() => {
                readAll()
                emit('notification:read:all')
              }}
            >
              Marcar todas
            </button>
            <Link href="/notifications">Ver todas</Link>
          </footer>
        </div>
      )}
    </div>
  )
}
