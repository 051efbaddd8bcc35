import { act, render, renderHook, screen, waitFor } from '@testing-library/react'
import type { ReactNode } from 'react'
import { beforeEach, describe, expect, test, vi } from 'vitest'

import { NotificationProvider, RealtimeProvider, useNotifications, type Filter } from '../../src/react/index.js'

import { row, Server, settled } from './server.js'

vi.mock('socket.io-client', async () => ({ io: (await import('./server.js')).io }))

let server: Server
beforeEach(() => {
  server = new Server()
})

function inbox(filter?: Filter, pageSize = 3) {
  const wrapper = ({ children }: { children: ReactNode }) => (
    <RealtimeProvider url={server.url}>
      <NotificationProvider pageSize={pageSize}>{children}</NotificationProvider>
    </RealtimeProvider>
  )
  return renderHook(({ filter }) => useNotifications(filter), { wrapper, initialProps: { filter } }).result
}

const ids = (result: { current: { items: { id: string }[] } }) => result.current.items.map((i) => i.id)
const read = (result: { current: ReturnType<typeof useNotifications> }) =>
  result.current.items.filter((i) => i.readAt).map((i) => i.id)

describe('the list', () => {
  test('is asked for once, when the socket is there, with how many are unread', async () => {
    server.rows = [row('c'), row('b', { readAt: '2026-01-01T00:00:00.000Z' }), row('a')]
    const result = inbox()
    expect(result.current).toMatchObject({ items: [], loading: true, unread: 0 })
    await settled()
    expect(ids(result)).toEqual(['c', 'b', 'a'])
    expect(result.current).toMatchObject({ unread: 2, loading: false, hasMore: false })
    expect(server.requests.filter((r) => r.startsWith('GET ?'))).toEqual(['GET ?limit=3'])
  })

  test('comes without a socket, too, after a moment', async () => {
    vi.useFakeTimers()
    server.onHandshake = () => {}
    server.rows = [row('a')]
    const result = inbox()
    await act(() => vi.advanceTimersByTimeAsync(1500))
    expect(ids(result)).toEqual(['a'])
  })

  test('shows a new one on top, each once however often it comes', async () => {
    server.rows = [row('a')]
    const result = inbox()
    await settled()
    const n = server.notify()
    server.socket.receive('notification:new', n)
    expect(ids(result)).toEqual([n.id, 'a'])
    expect(result.current.unread).toBe(2)
  })

  test('loads page by page and neither repeats nor skips when one comes between', async () => {
    server.rows = ['g', 'f', 'e', 'd', 'c', 'b', 'a'].map((id) => row(id))
    const result = inbox()
    await settled()
    const n = server.notify()
    await act(() => result.current.loadMore())
    await act(() => result.current.loadMore())
    expect(ids(result)).toEqual([n.id, 'g', 'f', 'e', 'd', 'c', 'b', 'a'])
    expect(result.current.hasMore).toBe(false)
  })

  test('takes up what was missed while the connection was lost, and throws nobody back who has scrolled', async () => {
    server.rows = ['f', 'e', 'd', 'c', 'b', 'a'].map((id) => row(id))
    const result = inbox()
    await settled()
    await act(() => result.current.loadMore())
    server.socket.drop()
    server.rows = [row('g'), ...server.rows.filter((r) => r.id !== 'e')]
    server.socket.active = true
    server.socket.accept()
    await settled()
    expect(ids(result)).toEqual(['g', 'f', 'd', 'c', 'b', 'a'])
    expect(result.current.unread).toBe(6)
  })

  test('with a filter asks the server, and new ones join where they match', async () => {
    server.rows = [row('c', { type: 'system:alert' }), row('b', { readAt: '2026-01-01T00:00:00.000Z' }), row('a')]
    const result = inbox({ state: 'unread', type: 'system:alert' })
    await settled()
    expect(server.requests).toContain('GET ?limit=3&unread=true&type=system%3Aalert')
    expect(ids(result)).toEqual(['c'])
    const n = server.notify({ type: 'system:alert', message: 'Cuidado' })
    server.notify()
    expect(ids(result)).toEqual([n.id, 'c'])
    await act(() => result.current.markRead('c'))
    expect(ids(result)).toEqual([n.id])
  })

  test('says that it failed, and comes when it is asked for again', async () => {
    server.refuse = () => 500
    server.rows = [row('a')]
    const result = inbox()
    await settled()
    expect(result.current).toMatchObject({ failed: true, loading: false, items: [] })
    server.refuse = () => undefined
    await act(() => result.current.reload())
    expect(result.current.failed).toBe(false)
    expect(ids(result)).toEqual(['a'])
  })

  test('of one user is not shown to the next', async () => {
    server.rows = [row('a')]
    const result = inbox()
    await settled()
    server.socket.drop()
    server.rows = [row('z')]
    server.socket.active = true
    server.socket.accept('somebody else')
    expect(ids(result)).toEqual([])
    await settled()
    expect(ids(result)).toEqual(['z'])
    server.socket.drop('io server disconnect')
    server.onHandshake = (socket) => socket.refuse('AUTH_REQUIRED')
    await waitFor(() => expect(ids(result)).toEqual([]), { timeout: 10_000 })
  })
})

describe('reading', () => {
  beforeEach(() => {
    server.rows = [row('b'), row('a')]
  })

  test('shows at once and is said by the socket', async () => {
    const result = inbox()
    await settled()
    act(() => void result.current.markRead('b'))
    expect(read(result)).toEqual(['b'])
    expect(result.current.unread).toBe(1)
    expect(server.sent('notification:read')).toEqual([['notification:read', 'b']])
    server.socket.receive('notification:read:success', { notificationId: 'b' })
    await settled()
    expect(result.current.unread).toBe(1)
  })

  test('is taken back where the server refuses, and the user is told', async () => {
    server.acknowledge = async () => ({ success: false, error: 'no' })
    const result = inbox()
    await settled()
    act(() => void result.current.markRead('b'))
    expect(read(result)).toEqual(['b'])
    await settled()
    expect(read(result)).toEqual([])
    expect(result.current.unread).toBe(2)
    expect(await screen.findByText('No se pudo marcar como leída')).toBeTruthy()
  })

  test('is not taken back where another device has read it meanwhile', async () => {
    server.acknowledge = async () => {
      server.socket.receive('notification:read:success', { notificationId: 'b' })
      return { success: false }
    }
    const result = inbox()
    await settled()
    await act(() => result.current.markRead('b'))
    expect(read(result)).toEqual(['b'])
  })

  test('goes by HTTP while there is no socket', async () => {
    const result = inbox()
    await settled()
    server.socket.drop()
    await act(() => result.current.markRead('b'))
    await act(() => result.current.markAllRead())
    expect(server.requests).toEqual(expect.arrayContaining(['PATCH /b/read', 'POST ']))
    expect(result.current.unread).toBe(0)
    expect(read(result)).toEqual(['b', 'a'])
  })

  test('of all is one request, and taken back as a whole where it is refused', async () => {
    const result = inbox()
    await settled()
    server.acknowledge = async () => ({ success: false })
    act(() => void result.current.markAllRead())
    expect(read(result)).toEqual(['b', 'a'])
    await settled()
    expect(read(result)).toEqual([])
    expect(result.current.unread).toBe(2)
  })

  test('and deleting on another device shows here', async () => {
    const result = inbox()
    await settled()
    server.socket.receive('notification:read:success', { notificationId: 'b' })
    expect(read(result)).toEqual(['b'])
    server.socket.receive('notification:deleted', { notificationId: 'b' })
    expect(ids(result)).toEqual(['a'])
    server.socket.receive('notification:read:all:success', { count: 1 })
    expect(result.current.unread).toBe(0)
  })

  test('elsewhere of one that is not loaded asks for the number again', async () => {
    const result = inbox(undefined, 1)
    await settled()
    server.read((r) => r.id === 'a')
    server.socket.receive('notification:read:success', { notificationId: 'a' })
    await settled(400)
    expect(result.current.unread).toBe(1)
  })
})

describe('deleting', () => {
  beforeEach(() => {
    server.rows = [row('b'), row('a')]
  })

  test('shows at once, and one that comes again stays away', async () => {
    const result = inbox()
    await settled()
    act(() => void result.current.remove('b'))
    expect(ids(result)).toEqual(['a'])
    expect(result.current.unread).toBe(1)
    await settled()
    server.socket.receive('notification:new', { ...server.notify(), id: 'b' })
    expect(ids(result)).not.toContain('b')
  })

  test('is taken back in its place where the server refuses, but not where it was gone already', async () => {
    const result = inbox()
    await settled()
    server.refuse = (request) => (request.startsWith('DELETE') ? 500 : undefined)
    await act(() => result.current.remove('b'))
    expect(ids(result)).toEqual(['b', 'a'])
    expect(result.current.unread).toBe(2)
    server.refuse = (request) => (request.startsWith('DELETE') ? 404 : undefined)
    await act(() => result.current.remove('b'))
    expect(ids(result)).toEqual(['a'])
  })
})

test('without its provider a component says what is missing', () => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
  const Lost = () => <>{useNotifications().unread}</>
  expect(() => render(<Lost />)).toThrow('below a <NotificationProvider>')
})
