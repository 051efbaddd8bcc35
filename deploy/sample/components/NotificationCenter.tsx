'use client'

import { format } from 'date-fns'
import { es } from 'date-fns/locale'
import { useState } from 'react'

import { useSocket } from '@/hooks/useSocket'
import { useNotifications } from '@/store/notifications'

const labels: Record<string, string> = {
  'appointment:created': 'Cita nueva',
  'appointment:updated': 'Cita actualizada',
  'appointment:cancelled': 'Cita cancelada',
  'appointment:deleted': 'Cita cancelada',
  'appointment:reminder': 'Recordatorio',
  'appointment:rescheduled': 'Cita reprogramada',
  'schedule:updated': 'Horarios',
  'system:alert': 'Aviso del sistema',
  'commission:earned': 'Comisión',
  'payment:received': 'Pago',
}

/** All notifications, with filters. */
export function NotificationCenter() {
  const { emit } = useSocket()
  const { items, read, remove } = useNotifications()
  const [filter, setFilter] = useState('all')
  const shown = items.filter((i) => filter === 'all' || (filter === 'unread' ? !i.read : i.read))

  async function erase(id: string) {
    const answer = await fetch(`/api/notifications/${id}`, { method: 'DELETE' })
    if (answer.ok) remove(id)
  }

  return (
    <section>
      <h1>Notificaciones</h1>
      <label>
        Mostrar{' '}
        <select value={filter} onChange={(e) => setFilter(e.target.value)}>
          <option value="all">todas</option>
          <option value="unread">sin leer</option>
          <option value="read">leídas</option>
        </select>
      </label>
      {shown.length === 0 && <p>No hay notificaciones</p>}
      <ul className="center" aria-label="Lista de notificaciones">
        {shown.map((i) => (
          <li key={i.id} className={i.read ? '' : 'unread'}>
            <div>
              <strong>{labels[i.type] ?? 'Notificación'}</strong>
              <p>{i.message}</p>
              <time dateTime={i.createdAt}>{format(new Date(i.createdAt), "d 'de' MMMM, HH:mm", { locale: es })}</time>
            </div>
            <div className="actions">
              {!i.read && (
                <button
                  type="button"
                  onClick={() => {
                    read(i.id)
                    emit('notification:read', i.id)
                  }}
                >
                  Leída
                </button>
              )}
              <button type="button" onClick={() => erase(i.id)}>
                Eliminar
              </button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  )
}
