import { act, render, screen, within } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import axe from 'axe-core'
import type { ReactNode } from 'react'
import { beforeEach, describe, expect, test, vi } from 'vitest'

import {
  EditingGuard,
  NotificationBell,
  NotificationCenter,
  NotificationPreferences,
  NotificationProvider,
  PresenceIndicator,
  RealtimeProvider,
  type NotificationProviderProps,
  type RealtimeProviderProps,
} from '../../src/react/index.js'

import { preferences, row, Server, settled } from './server.js'

vi.mock('socket.io-client', async () => ({ io: (await import('./server.js')).io }))

let server: Server
beforeEach(() => {
  server = new Server()
  server.rows = ['f', 'e', 'd', 'c', 'b', 'a'].map((id) => row(id))
})

async function page(children: ReactNode, props: NotificationProviderProps = {}, realtime: RealtimeProviderProps = {}) {
  const shown = render(
    <RealtimeProvider url={server.url} {...realtime}>
      <NotificationProvider {...props}>
        <main>{children}</main>
      </NotificationProvider>
    </RealtimeProvider>,
  )
  await settled()
  return { ...shown, user: userEvent.setup() }
}

/** The notifications shown: toasts are list items, too. */
const rows = () => [...document.querySelectorAll('.cpr-row-message')].map((m) => m.textContent)

/** axe has nothing to say. Contrast it cannot see here: contrast.test.ts looks at that. */
async function accessible(container: Element) {
  const { violations } = await axe.run(container, { rules: { 'color-contrast': { enabled: false }, region: { enabled: false } } })
  expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join()}`)).toEqual([])
}

describe('the bell', () => {
  test('counts, opens the last five, marks one as read, and leads to the center', async () => {
    const { user, container } = await page(<NotificationBell centerHref="/avisos" />)
    await user.click(screen.getByRole('button', { name: 'Notificaciones, 6 sin leer' }))
    const panel = screen.getByRole('dialog', { name: 'Últimas notificaciones' })
    expect(within(panel).getAllByRole('listitem')).toHaveLength(5)
    expect(within(panel).getByRole('link', { name: 'Ver todas' }).getAttribute('href')).toBe('/avisos')
    await user.click(within(panel).getByRole('button', { name: 'Marcar como leída: Cita f' }))
    expect(screen.getByRole('button', { name: 'Notificaciones, 5 sin leer' })).toBeTruthy()
    expect(document.activeElement).toBe(within(panel).getAllByRole('listitem')[0]) // whose button is gone
    await accessible(container)
    await user.click(within(panel).getByRole('button', { name: 'Marcar todas como leídas' }))
    expect(document.activeElement).toBe(panel)
    expect(screen.getByRole('button', { name: 'Notificaciones' })).toBeTruthy()
  })

  test('is worked by the keyboard: Enter opens, Escape closes and the focus is back', async () => {
    const { user } = await page(<NotificationBell />)
    await user.tab()
    await user.keyboard('{Enter}')
    expect(document.activeElement).toBe(screen.getByRole('dialog'))
    await user.tab()
    expect(document.activeElement?.textContent).toBe('Marcar todas como leídas')
    await user.keyboard('{Escape}')
    expect(screen.queryByRole('dialog')).toBeNull()
    expect(document.activeElement).toBe(screen.getByRole('button', { name: /Notificaciones/ }))
  })

  test('closes at a click elsewhere', async () => {
    const { user } = await page(
      <>
        <NotificationBell />
        <button>otra cosa</button>
      </>,
    )
    await user.click(screen.getByRole('button', { name: /Notificaciones/ }))
    await user.click(screen.getByText('otra cosa'))
    expect(screen.queryByRole('dialog')).toBeNull()
  })

  test('says a new notification to those who do not see it', async () => {
    await page(<NotificationBell />)
    server.notify({ message: 'Nueva cita: Luis' })
    expect(screen.getAllByRole('status').map((s) => s.textContent)).toContain('Notificación nueva: Nueva cita: Luis')
  })

  test('speaks English, and the texts of the app', async () => {
    await page(<NotificationBell />, {}, { locale: 'en', texts: { seeAll: 'Inbox' } })
    await userEvent.click(screen.getByRole('button', { name: 'Notifications, 6 unread' }))
    expect(screen.getByRole('link', { name: 'Inbox' })).toBeTruthy()
  })

  test('makes a link of an actionUrl of the app or the web, and of nothing else', async () => {
    const of = (id: string, actionUrl: string) => row(id, { metadata: { eventData: { actionUrl } } })
    server.rows = [
      of('good', '/citas/1'),
      of('web', 'https://example.com/x'),
      of('script', 'javascript:alert(1)'),
      of('other', '//evil.example'),
    ]
    const onOpen = vi.fn()
    const { user } = await page(<NotificationBell onOpen={onOpen} />)
    await user.click(screen.getByRole('button', { name: /Notificaciones/ }))
    expect(screen.getAllByRole('link').map((l) => l.getAttribute('href'))).toEqual([
      '/citas/1',
      'https://example.com/x',
      '/notifications',
    ])
    await user.click(screen.getByRole('link', { name: 'Cita good' }))
    expect(onOpen).toHaveBeenCalledExactlyOnceWith('/citas/1', expect.objectContaining({ id: 'good' }))
    expect(server.sent('notification:read')).toEqual([['notification:read', 'good']])
    expect(screen.queryByRole('dialog')).toBeNull()
  })
})

describe('the center', () => {
  test('lists all, filters by state and type, and has nothing that axe objects to', async () => {
    server.rows = [row('alert', { type: 'system:alert' }), row('old', { readAt: '2026-01-01T00:00:00.000Z' }), row('new')]
    const { user, container } = await page(<NotificationCenter />)
    expect(screen.getByRole('heading', { level: 1, name: 'Notificaciones' })).toBeTruthy()
    expect(screen.getByRole('list', { name: 'Notificaciones' }).children).toHaveLength(3)
    await accessible(container)
    await user.selectOptions(screen.getByLabelText('Estado'), 'Sin leer')
    expect(rows()).toEqual(['Cita alert', 'Cita new'])
    await user.selectOptions(screen.getByLabelText('Tipo'), 'Aviso del sistema')
    expect(rows()).toEqual(['Cita alert'])
    await user.click(screen.getByRole('button', { name: 'Marcar como leída: Cita alert' }))
    expect(screen.getByText('No hay notificaciones con este filtro')).toBeTruthy()
  })

  test('keeps the focus where a button goes away: on the row, or the next one where the row goes, too', async () => {
    server.rows = [row('c'), row('b'), row('a')]
    const { user } = await page(<NotificationCenter />)
    const read = (name: string) => user.click(screen.getByRole('button', { name: `Marcar como leída: Cita ${name}` }))
    await read('c')
    expect(document.activeElement?.textContent).toContain('Cita c')
    await user.selectOptions(screen.getByLabelText('Estado'), 'Sin leer')
    await read('b')
    expect(document.activeElement?.textContent).toContain('Cita a')
    await user.click(screen.getByRole('button', { name: 'Marcar todas como leídas' }))
    expect(document.activeElement).toBe(screen.getByRole('heading'))
  })

  test('deletes, and the focus goes to the next one, in the end to the heading', async () => {
    server.rows = [row('b'), row('a')]
    const { user } = await page(<NotificationCenter />)
    await user.click(screen.getByRole('button', { name: 'Eliminar: Cita b' }))
    expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Eliminar: Cita a' }))
    await user.keyboard('{Enter}')
    expect(document.activeElement).toBe(screen.getByRole('heading'))
    expect(server.requests).toEqual(expect.arrayContaining(['DELETE /b', 'DELETE /a']))
    expect(screen.getByText('No hay notificaciones')).toBeTruthy()
  })

  test('loads more when its end comes into view, until all is there, and by a button', async () => {
    let into: () => void = () => {}
    vi.stubGlobal(
      'IntersectionObserver',
      class {
        constructor(callback: (entries: { isIntersecting: boolean }[]) => void) {
          into = () => callback([{ isIntersecting: true }])
        }
        observe() {}
        disconnect() {}
      },
    )
    const { user } = await page(<NotificationCenter />, { pageSize: 2 })
    expect(rows()).toHaveLength(2)
    act(() => {
      into()
      into() // once is enough
    })
    await settled()
    expect(rows()).toHaveLength(4)
    await user.click(screen.getByRole('button', { name: 'Cargar más' }))
    expect(rows()).toHaveLength(6)
    expect(screen.queryByRole('button', { name: 'Cargar más' })).toBeNull()
    expect(server.requests.filter((r) => r.includes('cursor'))).toHaveLength(2)
  })

  test('says that it could not load, and tries again', async () => {
    server.refuse = () => 503
    const { user } = await page(<NotificationCenter />)
    expect(screen.getByRole('alert').textContent).toContain('No se pudieron cargar')
    server.refuse = () => undefined
    await user.click(screen.getByRole('button', { name: 'Reintentar' }))
    expect(rows()).toHaveLength(6)
  })
})

describe('the preferences', () => {
  test('are saved as they are changed, the whole row as the old page sends it', async () => {
    const { user, container } = await page(<NotificationPreferences />)
    expect(screen.getAllByRole('group').map((g) => g.querySelector('legend')!.textContent)).toEqual([
      'Canales',
      'Qué se notifica',
      'Cómo se avisa',
      'Recordatorios de citas',
    ])
    await accessible(container)
    await user.click(screen.getByRole('switch', { name: 'WhatsApp' }))
    expect(server.bodies).toEqual([preferences({ enableWhatsAppNotifications: true })])
    expect((screen.getByRole('switch', { name: 'WhatsApp' }) as HTMLInputElement).checked).toBe(true)
    expect(screen.getByText('Preferencias guardadas')).toBeTruthy()
  })

  test('are taken back where the server refuses', async () => {
    const { user } = await page(<NotificationPreferences />)
    server.refuse = () => 400
    await user.click(screen.getByRole('switch', { name: 'Sonidos' }))
    expect((screen.getByRole('switch', { name: 'Sonidos' }) as HTMLInputElement).checked).toBe(true)
    expect(screen.getAllByText('No se pudieron guardar las preferencias').length).toBeGreaterThan(0)
  })

  test('take reminders from 1 minute to 30 days, at most ten', async () => {
    const { user } = await page(<NotificationPreferences />)
    const chips = () => screen.getAllByText(/^\d+ .* antes$/).map((c) => c.textContent)
    expect(chips()).toEqual(['1 día antes', '1 hora antes'])
    await user.type(screen.getByLabelText('Minutos antes'), '15{Enter}')
    expect(chips()).toEqual(['1 día antes', '1 hora antes', '15 minutos antes'])
    expect(server.bodies.at(-1).reminderMinutesBefore).toEqual([1440, 60, 15])
    await user.click(screen.getByRole('button', { name: 'Eliminar: 1 hora antes' }))
    expect(server.bodies.at(-1).reminderMinutesBefore).toEqual([1440, 15])
    await user.type(screen.getByLabelText('Minutos antes'), '50000{Enter}')
    expect(server.bodies).toHaveLength(2)
    await user.clear(screen.getByLabelText('Minutos antes'))
    for (let i = 1; i <= 8; i++) await user.type(screen.getByLabelText('Minutos antes'), `${i}{Enter}`)
    expect(screen.getByText('Como máximo 10 recordatorios')).toBeTruthy()
    expect((screen.getByLabelText('Minutos antes') as HTMLInputElement).disabled).toBe(true)
  })

  test('ask the browser for its permission after a click alone', async () => {
    const requestPermission = vi.fn(async () => 'granted')
    vi.stubGlobal('Notification', Object.assign(vi.fn(), { permission: 'default', requestPermission }))
    const { user } = await page(<NotificationPreferences />)
    await user.click(screen.getByRole('switch', { name: 'Notificaciones del navegador' }))
    expect(requestPermission).not.toHaveBeenCalled()
    await user.click(screen.getByRole('button', { name: 'Permitir en este navegador' }))
    expect(requestPermission).toHaveBeenCalledOnce()
    expect(screen.queryByRole('button', { name: 'Permitir en este navegador' })).toBeNull()
  })
})

describe('presence', () => {
  const at = '2026-03-02T16:00:00.000Z'

  test('shows who is here, from the first moment and as they come, go and are away', async () => {
    const { user, container } = await page(<PresenceIndicator />, {}, { names: { me: 'Yo Misma', u1: 'Beatriz' } })
    server.socket.receive('presence:state', {
      users: [
        { userId: 'u1', status: 'online', since: at },
        { userId: 'me', status: 'online', since: at },
      ],
    })
    server.socket.receive('user:online', { userId: 'u2', email: 'carlos@example.com', timestamp: at })
    await user.click(screen.getByRole('button', { name: '3 personas en línea' }))
    const people = () =>
      within(screen.getByRole('list', { name: 'En línea' }))
        .getAllByRole('listitem')
        .map((li) => li.textContent)
    expect(people()).toEqual(['Yo Misma (tú)', 'Beatriz', 'carlos@example.com'])
    server.socket.receive('user:presence', { userId: 'u1', status: 'away', timestamp: at })
    server.socket.receive('user:offline', { userId: 'u2', timestamp: at })
    expect(people()).toEqual(['Yo Misma (tú)', 'Beatriz Ausente'])
    await accessible(container)
    await user.keyboard('{Escape}')
    expect(screen.queryByRole('list', { name: 'En línea' })).toBeNull()
  })

  test('is said by the user, again after each reconnect, and taken back', async () => {
    const { user } = await page(<PresenceIndicator />)
    await user.click(screen.getByRole('button', { name: /en línea/ }))
    await user.click(screen.getByRole('button', { name: 'Marcarme como ausente' }))
    server.socket.receive('presence:state', { users: [{ userId: 'me', status: 'online', since: at }] })
    expect(within(screen.getByRole('list', { name: 'En línea' })).getByRole('listitem').textContent).toBe('me (tú) Ausente')
    server.socket.drop()
    expect(screen.getAllByText('Reconectando…').length).toBeGreaterThan(0)
    server.socket.active = true
    server.socket.accept()
    await user.click(screen.getByRole('button', { name: 'Marcarme en línea' }))
    expect(server.sent('presence:update').map(([, status]) => status)).toEqual(['away', 'away', 'online'])
  })
})

describe('the editing guard', () => {
  const form = (id: string | null, block = false) => (
    <EditingGuard appointmentId={id} block={block}>
      <input aria-label="Notas" />
    </EditingGuard>
  )

  test('tells the others, again after a reconnect, and says when it stops', async () => {
    const { unmount } = await page(form('a1'))
    expect(server.sent('appointment:editing')).toEqual([['appointment:editing', 'a1']])
    server.socket.drop()
    server.socket.active = true
    server.socket.accept()
    expect(server.sent('appointment:editing')).toHaveLength(2)
    unmount()
    expect(server.sent('appointment:editing:stop')).toEqual([['appointment:editing:stop', 'a1']])
  })

  test('shows who edits the same, since when, and blocks where it is told to', async () => {
    const { container } = await page(form('a1', true), {}, { names: { u1: 'Beatriz', u2: 'Carlos' } })
    expect(container.querySelector('fieldset')!.disabled).toBe(false)
    server.socket.receive('appointment:editing:conflict', { appointmentId: 'a1', userId: 'u1', since: new Date().toISOString() })
    expect(screen.getByRole('main').textContent).toMatch(/^Beatriz está editando esta cita desde las \d+:\d\d\. Tus cambios/)
    server.socket.receive('appointment:editing:started', { appointmentId: 'a1', userId: 'u2' })
    server.socket.receive('appointment:editing:started', { appointmentId: 'a1', userId: 'me' }) // the user's own second tab
    server.socket.receive('appointment:editing:started', { appointmentId: 'a2', userId: 'u3' })
    expect(screen.getByRole('main').textContent).toContain('Beatriz y Carlos están editando esta cita')
    expect(container.querySelector('fieldset')!.disabled).toBe(true)
    await accessible(container)
    server.socket.receive('appointment:editing:stopped', { appointmentId: 'a1', userId: 'u2' })
    server.socket.receive('user:offline', { userId: 'u1' })
    expect(screen.getByRole('main').textContent).toBe('')
  })
})
