'use client'

import Link from 'next/link'
import { signOut, useSession } from 'next-auth/react'
import type { ReactNode } from 'react'

import { NotificationBell } from './NotificationBell'
import { NotificationProvider } from './NotificationProvider'
import { Toasts } from './Toasts'

/** What every page for who is signed in has around it. */
export function Shell({ children }: { children: ReactNode }) {
  const { data: session, status } = useSession({ required: true })
  if (status !== 'authenticated') return <p className="loading">Cargando…</p>
  return (
    <NotificationProvider>
      <header className="top">
        <nav aria-label="Principal">
          <Link href="/dashboard">Agenda</Link>
          <Link href="/notifications">Notificaciones</Link>
          <Link href="/preferences">Preferencias</Link>
        </nav>
        <div className="who">
          <NotificationBell />
          <span>{session.user.name}</span>
          <button type="button" onClick={() => signOut({ callbackUrl: '/login' })}>
            Salir
          </button>
        </div>
      </header>
      <main>{children}</main>
      <Toasts />
    </NotificationProvider>
  )
}
