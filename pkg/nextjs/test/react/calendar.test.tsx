import { act, renderHook } from '@testing-library/react'
import type { ReactNode } from 'react'
import { beforeEach, expect, test, vi } from 'vitest'

import { calendarEvents, RealtimeProvider, useCalendar, useEditors } from '../../src/react/index.js'

import { Server, settled } from './server.js'

vi.mock('socket.io-client', async () => ({ io: (await import('./server.js')).io }))

let server: Server
beforeEach(() => {
  server = new Server()
})

function calendar(load: (view: { date: string; viewType: string; signal: AbortSignal }) => Promise<unknown>) {
  const wrapper = ({ children }: { children: ReactNode }) => (
    <RealtimeProvider url={server.url} names={{ u1: 'Beatriz' }}>
      {children}
    </RealtimeProvider>
  )
  return renderHook(({ date }) => ({ ...useCalendar({ date, viewType: 'week', load }), editors: useEditors() }), {
    wrapper,
    initialProps: { date: '2026-03-02' },
  })
}

test('each event of a calendar loads anew, a burst of them once', async () => {
  let n = 0
  const load = vi.fn(async () => ++n)
  const { result } = calendar(load)
  await settled(200)
  const before = load.mock.calls.length
  for (const event of calendarEvents) {
    server.socket.receive(event, {})
    await settled(200)
  }
  expect(load).toHaveBeenCalledTimes(before + calendarEvents.length)
  for (const event of calendarEvents) server.socket.receive(event, {})
  await settled(200)
  expect(load).toHaveBeenCalledTimes(before + calendarEvents.length + 1)
  expect(result.current).toMatchObject({ data: n, loading: false, error: undefined })
})

test('a connection that comes back loads anew and says again what is looked at', async () => {
  const load = vi.fn(async () => 0)
  calendar(load)
  await settled()
  const before = load.mock.calls.length
  server.socket.drop()
  server.socket.active = true
  server.socket.accept()
  await settled()
  expect(load).toHaveBeenCalledTimes(before + 1)
  expect(server.sent('calendar:viewing')).toEqual(Array(2).fill(['calendar:viewing', { date: '2026-03-02', viewType: 'week' }]))
})

test('what is late for another date is thrown away, and a failure keeps the last answer', async () => {
  const answers: Record<string, (value: unknown) => void> = {}
  const load = vi.fn(({ date }: { date: string }) => new Promise((resolve) => (answers[date] = resolve)))
  const { result, rerender } = calendar(load)
  await settled()
  const late = answers['2026-03-02']!
  rerender({ date: '2026-03-03' })
  await act(async () => answers['2026-03-03']!('new'))
  await act(async () => late('old'))
  expect(result.current.data).toBe('new')
  expect(server.sent('calendar:viewing').at(-1)).toEqual(['calendar:viewing', { date: '2026-03-03', viewType: 'week' }])
  load.mockRejectedValueOnce(new Error('down'))
  act(() => result.current.refetch())
  await settled()
  expect(result.current).toMatchObject({ data: 'new', error: new Error('down'), loading: false })
})

test('it knows who looks at the same, and who edits what', async () => {
  const { result } = calendar(async () => 0)
  await settled()
  server.socket.receive('user:viewing:calendar', { userId: 'u1', date: '2026-03-02', viewType: 'week' })
  server.socket.receive('user:viewing:calendar', { userId: 'u2', date: '2026-03-09', viewType: 'week' })
  server.socket.receive('appointment:editing:started', { userId: 'u1', appointmentId: 'a1' })
  server.socket.receive('appointment:editing:started', { userId: 'me', appointmentId: 'a2' })
  expect(result.current.viewers).toEqual([{ userId: 'u1', name: 'Beatriz' }])
  expect(Object.keys(result.current.editors)).toEqual(['a1'])
  server.socket.drop() // who does what is not told again
  expect(result.current).toMatchObject({ viewers: [], editors: {} })
})
