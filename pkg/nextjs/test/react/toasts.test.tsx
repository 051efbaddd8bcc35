import { act, render, screen, waitFor, within } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { toast } from 'sonner'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { NotificationProvider, RealtimeProvider, type NotificationProviderProps } from '../../src/react/index.js'

import { preferences, Server, settled } from './server.js'

vi.mock('socket.io-client', async () => ({ io: (await import('./server.js')).io }))

let server: Server
beforeEach(() => {
  server = new Server()
})
afterEach(async () => {
  act(() => void toast.dismiss())
  await settled(300)
})

async function page(props: NotificationProviderProps = {}) {
  render(
    <RealtimeProvider url={server.url}>
      <NotificationProvider {...props} />
    </RealtimeProvider>,
  )
  await settled()
}

const toasts = () => [...document.querySelectorAll<HTMLElement>('[data-sonner-toast]')]
const texts = () => toasts().map((t) => t.querySelector('[data-title]')!.textContent)

test('a notification is a toast with its icon, its description and its actions', async () => {
  const onOpen = vi.fn()
  await page({ onOpen })
  const n = server.notify({
    type: 'appointment:reminder',
    message: 'Recordatorio',
    data: { actionUrl: '/citas/1', description: 'A las 10' },
  })
  const shown = await screen.findByText('Recordatorio')
  const body = shown.closest<HTMLElement>('[data-sonner-toast]')!
  expect(body.querySelector('.lucide-alarm-clock')).toBeTruthy()
  expect(body.textContent).toContain('A las 10')
  await userEvent.click(within(body).getByRole('button', { name: 'Abrir' }))
  expect(onOpen).toHaveBeenCalledExactlyOnceWith('/citas/1', expect.objectContaining({ id: n.id }))
})

test('the toast marks its notification as read', async () => {
  await page()
  const n = server.notify()
  await userEvent.click(await screen.findByRole('button', { name: 'Marcar como leída' }))
  expect(server.sent('notification:read')).toEqual([['notification:read', n.id]])
})

test('an urgent one looks so', async () => {
  await page()
  server.notify({ type: 'schedule:conflict', message: 'Conflicto', priority: 'urgent' })
  expect((await screen.findByText('Conflicto')).closest('.cpr-toast--urgent')).toBeTruthy()
})

test('an event and the notification about it are one toast, a second delivery is none', async () => {
  await page({ events: ['appointment:created'] })
  server.socket.receive('appointment:created', { appointment: { id: 'a1', clientName: 'Carla', serviceName: 'Corte' } })
  const n = server.notify({ message: 'Nueva cita: Carla - Corte', data: { appointmentId: 'a1' } })
  server.socket.receive('notification:new', n)
  await settled(50)
  expect(texts()).toEqual(['Nueva cita: Carla - Corte'])
})

test('a burst shows the urgent and the newest, and holds nothing up', async () => {
  await page()
  server.notify({ type: 'system:alert', message: 'Urgente', priority: 'urgent' })
  for (let i = 0; i < 100; i++) server.notify({ message: `Cita ${i}` })
  await waitFor(() => expect(texts().sort()).toEqual(['Cita 96', 'Cita 97', 'Cita 98', 'Cita 99', 'Urgente']), { timeout: 20_000 })
})

test('events that come alone have toasts of their own, whatever is missing in them', async () => {
  await page({ events: ['appointment:deleted', 'commission:earned', 'payment:received', 'schedule:updated'] })
  server.socket.receive('appointment:deleted', { appointmentId: 'a1', appointmentData: { clientName: 'Luis' } })
  server.socket.receive('commission:earned', { amount: 120, description: 'Corte' })
  server.socket.receive('payment:received', null)
  server.socket.receive('schedule:updated', { professionalName: 'Paula' })
  server.socket.receive('appointment:created', { appointment: { clientName: 'nobody asked for this one' } })
  await settled(50)
  expect(texts().sort()).toEqual([
    'Cita cancelada: Luis',
    'Comisión ganada: 120',
    'Horarios actualizados: Paula',
    'Pago recibido',
  ])
})

test('preferences switch toasts off, sounds on and browser notifications on', async () => {
  server.preferences = preferences({ enableToastNotifications: false, enableSounds: true, enableDesktopNotifications: true })
  const started = vi.fn()
  const node = () => ({
    frequency: {},
    gain: { setValueAtTime() {}, exponentialRampToValueAtTime() {} },
    connect: (to: unknown) => to,
    start: started,
    stop() {},
  })
  vi.stubGlobal(
    'AudioContext',
    class {
      state = 'running'
      currentTime = 0
      destination = {}
      createOscillator = node
      createGain = node
    },
  )
  const shown = vi.fn()
  vi.stubGlobal(
    'Notification',
    Object.assign(
      class {
        constructor(...args: unknown[]) {
          shown(...args)
        }
      },
      { permission: 'granted' },
    ),
  )
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(true)
  await page()
  server.notify({ message: 'Pago' })
  await settled(50)
  expect(toasts()).toEqual([])
  expect(started).toHaveBeenCalledTimes(2)
  expect(shown).toHaveBeenCalledExactlyOnceWith('Pago', expect.objectContaining({ tag: expect.any(String) }))
})

test('calendar:refresh is passed on to calendars written for the old provider', async () => {
  const heard = vi.fn()
  window.addEventListener('calendar:refresh', heard)
  await page()
  server.socket.receive('calendar:refresh', { reason: 'import', affectedDates: [] })
  expect(heard.mock.calls[0]![0].detail).toEqual({ reason: 'import', affectedDates: [] })
  window.removeEventListener('calendar:refresh', heard)
})
