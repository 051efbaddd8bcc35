// One page with the components in use, as contract/frontend.md describes them, and the package's, signed in by the same cookie.
import {
  NotificationBell,
  NotificationCenter,
  NotificationProvider,
  PresenceIndicator,
  RealtimeProvider,
  useCalendar,
} from '@citaplanner/realtime/react'
import '@citaplanner/realtime/styles.css'
import { useRef } from 'react'
import { createRoot } from 'react-dom/client'

import { browser, OldBell, OldCalendar } from '../../../../pkg/nextjs/test/live/old.js'

browser.url = location.origin

function NewCalendar() {
  const loads = useRef(0)
  const { data } = useCalendar({ date: '2026-03-02', viewType: 'week', load: async () => ++loads.current })
  return <output aria-label="agenda nueva">{data}</output>
}

createRoot(document.getElementById('root')!).render(
  <RealtimeProvider>
    <NotificationProvider events={['appointment:created']}>
      <h1>Viejos y nuevos</h1>
      <NotificationBell />
      <PresenceIndicator />
      <NewCalendar />
      <NotificationCenter level={2} />
      <OldBell />
      <OldCalendar />
    </NotificationProvider>
  </RealtimeProvider>,
)
