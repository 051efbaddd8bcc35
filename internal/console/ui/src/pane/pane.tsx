import {
  NotificationBell,
  NotificationCenter,
  NotificationPreferences,
  NotificationProvider,
  PresenceIndicator,
  RealtimeProvider,
} from '@citaplanner/realtime/react'
import { useEffect, useMemo, useState } from 'react'

import { type Session } from '../shared/api.js'
import { SignedIn } from '../shared/signed-in.js'
import { useTheme } from '../shared/theme.js'
import { Calendar } from './calendar.js'
import { Pulsing } from './pulsing.js'

export function Pane({ userId }: { userId: string }) {
  return <SignedIn userId={userId}>{(session, renew) => <Shell session={session} renew={renew} />}</SignedIn>
}

const views = [
  ['agenda', 'Agenda'],
  ['notificaciones', 'Notificaciones'],
  ['preferencias', 'Preferencias'],
] as const

/** The view is in the address: the bell's link leads to the center as it does in the app. */
function useView(): string {
  const [view, setView] = useState(location.hash.slice(1))
  useEffect(() => {
    const changed = () => setView(location.hash.slice(1))
    addEventListener('hashchange', changed)
    return () => removeEventListener('hashchange', changed)
  }, [])
  return views.some(([name]) => name === view) ? view : 'agenda'
}

function Shell({ session, renew }: { session: Session; renew: () => Promise<void> }) {
  const view = useView()
  const theme = useTheme()
  const names = useMemo(() => Object.fromEntries(session.tenant.people.map((p) => [p.id, p.name])), [session])
  return (
    <RealtimeProvider token={session.token} refreshSession={renew} names={names}>
      <NotificationProvider toaster={{ theme, visibleToasts: 2, position: 'bottom-right' }}>
        <div className="shell">
          <header className="bar">
            <nav className="views" aria-label="Vistas">
              {views.map(([name, label]) => (
                <a key={name} href={`#${name}`} aria-current={view === name ? 'page' : undefined}>
                  {label}
                </a>
              ))}
            </nav>
            <div className="live">
              <PresenceIndicator />
              <NotificationBell centerHref="#notificaciones" />
            </div>
          </header>
          <main className="view">
            {view === 'agenda' && <Calendar session={session} />}
            {view === 'notificaciones' && (
              <div className="page">
                <NotificationCenter />
              </div>
            )}
            {view === 'preferencias' && (
              <div className="page">
                <NotificationPreferences />
              </div>
            )}
          </main>
          <Pulsing />
        </div>
      </NotificationProvider>
    </RealtimeProvider>
  )
}
