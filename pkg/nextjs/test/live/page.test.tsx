import { act, render, screen, waitFor, within } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { expect, test, vi } from 'vitest'

import {
  connectionTo,
  EditingGuard,
  NotificationBell,
  NotificationCenter,
  NotificationPreferences,
  NotificationProvider,
  PresenceIndicator,
  RealtimeProvider,
  useCalendar,
} from '../../src/react/index.js'

import { browser, OldBell, OldCalendar } from './old.js'

// A real server's, as nextjs_test.go says; the tokens are those of two users of the world of db/dbtest.
const {
  REALTIME_URL: url,
  REALTIME_API_KEY: key,
  TOKEN_PROFESSIONAL: mine,
  TOKEN_ADMIN: hers,
} = process.env as Record<string, string>
const patience = { timeout: 30_000 }

/** Emits as an API route does. (jsdom's AbortSignal is none for Node's fetch: server.test.ts runs the package's own in Node.) */
async function emit(kind: string, body: object) {
  const answer = await fetch(`${url}/api/emit/${kind}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(answer.status).toBe(202)
}

const loads = vi.fn(async () => 'loaded')
function Calendar() {
  const { viewers } = useCalendar({ date: '2026-03-02', viewType: 'week', load: loads })
  return <output aria-label="mirando">{viewers.map((v) => v.name).join()}</output>
}

test('the components, and those in use, live on one page', { timeout: 240_000 }, async () => {
  Object.assign(browser, { url, cookie: `next-auth.session-token=${mine}` })
  const user = userEvent.setup()
  const { unmount } = render(
    <RealtimeProvider url={url} token={mine} names={{ 'a-admin': 'Ana', 'a-professional': 'Paula' }}>
      <NotificationProvider events={['appointment:created']}>
        <NotificationBell />
        <PresenceIndicator />
        <NotificationCenter />
        <NotificationPreferences />
        <EditingGuard appointmentId="a-appointment">formulario</EditingGuard>
        <Calendar />
        <OldBell />
        <OldCalendar />
      </NotificationProvider>
    </RealtimeProvider>,
  )
  const stats = async () =>
    ((await (await fetch(`${url}/api/socket/stats`, { headers: { Authorization: `Bearer ${key}` } })).json()) as any).tenants[
      'tenant-a'
    ]
  await waitFor(async () => expect((await stats())?.count).toBe(3), patience) // one of ours, two of the old ones
  await screen.findByText('No hay notificaciones', {}, patience)

  // A colleague comes, looks at the same week and edits the same appointment.
  const ana = connectionTo(url, '/api/socket/')
  ana.configure({ token: hers })
  const conflict = new Promise<any>((resolve) => ana.on('appointment:editing:conflict', resolve))
  const letGo = ana.hold()
  ana.announce(['calendar:viewing', { date: '2026-03-02', viewType: 'week' }])
  ana.announce(['appointment:editing', 'a-appointment'], ['appointment:editing:stop', 'a-appointment'])
  expect(await conflict).toMatchObject({ appointmentId: 'a-appointment', userId: 'a-professional' })
  await screen.findByText(/^Ana está editando esta cita/, {}, patience)
  await waitFor(() => expect(screen.getByLabelText('mirando').textContent).toBe('Ana'), patience)
  await user.click(await screen.findByRole('button', { name: '2 personas en línea' }, patience))
  expect(screen.getByRole('list', { name: 'En línea' }).textContent).toBe('Paula (tú)Ana')

  // An appointment is made: the old bell and calendar, our bell, center, toast and calendar all show it.
  const before = loads.mock.calls.length
  await emit('appointments/created', { appointmentId: 'a-appointment', tenantId: 'tenant-a', actorId: 'a-admin' })
  const message = 'Nueva cita: Carla Cliente - Corte A'
  await screen.findByRole('button', { name: 'Notificaciones, 1 sin leer' }, patience)
  await waitFor(() => expect(screen.getByLabelText('vieja').textContent).toContain(`${message} sin leer`), patience)
  expect(document.querySelector('.cpr-center .cpr-row-message')!.textContent).toBe(message)
  await waitFor(() => expect(document.querySelectorAll('[data-sonner-toast]')).toHaveLength(1))
  await waitFor(() => expect(loads.mock.calls.length).toBeGreaterThan(before))
  await waitFor(() => expect(screen.getByLabelText('agenda vieja').textContent).toBe('1'), patience) // by a socket of its own

  // Read in the old bell, it is read in ours; what is passed on as a DOM event reaches the old calendar.
  await user.click(screen.getByRole('button', { name: `vieja: ${message}` }))
  await screen.findByRole('button', { name: 'Notificaciones' }, patience)
  await emit('calendar/refresh', { tenantId: 'tenant-a', reason: 'import' })
  await waitFor(() => expect(screen.getByLabelText('agenda vieja').textContent).toBe('2'), patience)

  // Read in ours, it is read in the old one.
  await emit('notification', {
    tenantId: 'tenant-a',
    userId: 'a-professional',
    type: 'payment:received',
    message: 'Pago recibido',
  })
  const center = screen.getByRole('region', { name: 'Notificaciones' })
  await user.click(await within(center).findByRole('button', { name: 'Marcar como leída: Pago recibido' }, patience))
  await waitFor(() => expect(screen.getByLabelText('vieja').textContent).toContain('Pago recibido leída'), patience)

  // Deleted here, it is gone from the server.
  await user.click(within(center).getByRole('button', { name: 'Eliminar: Pago recibido' }))
  const list = async () =>
    ((await (await fetch(`${url}/api/notifications`, { headers: { Authorization: `Bearer ${mine}` } })).json()) as any)
      .notifications
  await waitFor(async () => expect((await list()).map((n: any) => n.message)).toEqual([message]), patience)

  // All are read with one click.
  await emit('notification', { tenantId: 'tenant-a', userId: 'a-professional', type: 'news', message: 'Hola' })
  await user.click(await screen.findByRole('button', { name: 'Notificaciones, 1 sin leer' }, patience))
  await user.click(within(screen.getByRole('dialog')).getByRole('button', { name: 'Marcar todas como leídas' }))
  await waitFor(() => expect(screen.getByLabelText('vieja').textContent).toContain('Hola leída'), patience)
  expect((await list()).filter((n: any) => !n.readAt)).toEqual([])

  // A preference is the server's at once.
  await user.click(screen.getByRole('switch', { name: 'WhatsApp' }))
  await screen.findByText('Preferencias guardadas', {}, patience)
  const saved = (await (
    await fetch(`${url}/api/notifications/preferences`, { headers: { Authorization: `Bearer ${mine}` } })
  ).json()) as any
  expect(saved.preferences.enableWhatsAppNotifications).toBe(true)

  // The colleague goes: her lock goes with her.
  letGo()
  await waitFor(() => expect(screen.queryByText(/está editando/)).toBeNull(), patience)

  // A renewed session signs in anew, on the same connection.
  const ours = connectionTo(url)
  const connects = ours.store.getState().connects
  act(() => ours.reconnect())
  await waitFor(() => expect(ours.store.getState()).toMatchObject({ connects: connects + 1, status: 'connected' }), patience)
  unmount()
  await waitFor(async () => expect((await stats())?.count ?? 0).toBe(0), patience)
})

test('a token that is none is refused for good, and says why', async () => {
  const connection = connectionTo(`${url}/`)
  connection.configure({ token: 'nonsense' })
  const letGo = connection.hold()
  await waitFor(
    () =>
      expect(connection.store.getState()).toMatchObject({
        status: 'refused',
        refusal: { code: 'INVALID_TOKEN', message: 'Invalid token' },
      }),
    patience,
  )
  letGo()
})
