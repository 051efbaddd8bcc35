import { act, render, renderHook, screen, waitFor } from '@testing-library/react'
import { StrictMode, type ReactNode } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { beforeEach, describe, expect, test, vi } from 'vitest'

import {
  connectionTo,
  RealtimeProvider,
  useRealtimeEvent,
  useSocket,
  type RealtimeProviderProps,
  type SessionState,
} from '../../src/react/index.js'

import { Server, settled } from './server.js'

vi.mock('socket.io-client', async () => ({ io: (await import('./server.js')).io }))

let server: Server
beforeEach(() => {
  server = new Server()
})

const within = (props: RealtimeProviderProps = {}) => ({
  wrapper: ({ children }: { children: ReactNode }) => (
    <RealtimeProvider url={server.url} {...props}>
      {children}
    </RealtimeProvider>
  ),
})

/** Passes time, and whatever it brings. */
const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms))

describe('the socket', () => {
  test('is one for all who use it, in strict mode as well, and closed a moment after the last has gone', async () => {
    vi.useFakeTimers()
    const Probe = () => <>{String(useSocket().isConnected)} </>
    const page = render(
      <StrictMode>
        <RealtimeProvider url={server.url}>
          <Probe />
          <Probe />
        </RealtimeProvider>
        <RealtimeProvider url={server.url}>
          <Probe />
        </RealtimeProvider>
      </StrictMode>,
    )
    await pass(0)
    expect(page.container.textContent).toBe('true true true ')
    expect(server.handshakes).toBe(1)
    page.unmount()
    expect(server.socket.connected).toBe(true)
    await pass(1000)
    expect(server.socket.connected).toBe(false)
  })

  test('is closed also where its page is gone by then, as behind the tests of an app', async () => {
    vi.useFakeTimers()
    const letGo = connectionTo(server.url).hold()
    await pass(0)
    letGo()
    vi.stubGlobal('window', undefined)
    await vi.advanceTimersByTimeAsync(1000)
    expect(server.socket.connected).toBe(false)
  })

  test('renders again when it connects, and when it is lost', async () => {
    const { result } = renderHook(useSocket, within())
    expect(result.current).toMatchObject({ isConnected: false, status: 'loading', connection: 'connecting' })
    await settled()
    expect(result.current).toMatchObject({ isConnected: true, status: 'authenticated', user: { userId: 'me' } })
    server.socket.drop()
    expect(result.current).toMatchObject({ isConnected: false, status: 'authenticated', connection: 'reconnecting' })
  })

  test('works without a provider, on the page of the server itself', async () => {
    const { result } = renderHook(useSocket)
    await settled()
    expect(result.current.isConnected).toBe(true)
  })

  test('is there while the session is authenticated, and sends its token', async () => {
    vi.useFakeTimers()
    const session = (status: SessionState['status'], accessToken?: string): SessionState => ({ status, data: { accessToken } })
    let props: RealtimeProviderProps = { session: session('loading') }
    const { result, rerender } = renderHook(useSocket, {
      wrapper: ({ children }: { children: ReactNode }) => (
        <RealtimeProvider url={server.url} {...props}>
          {children}
        </RealtimeProvider>
      ),
    })
    await pass(0)
    expect(server.handshakes).toBe(0)
    expect(result.current.status).toBe('loading')
    props = { session: session('authenticated', 'secret') }
    await act(async () => rerender())
    await pass(0)
    expect(result.current).toMatchObject({ isConnected: true, status: 'authenticated' })
    const auth = vi.fn()
    server.socket.options.auth(auth)
    expect(auth).toHaveBeenCalledWith({ token: 'secret' })

    props = { session: session('authenticated', 'another') }
    await act(async () => rerender())
    await pass(0)
    expect(server.handshakes).toBe(2)
    props = { session: session('unauthenticated') }
    await act(async () => rerender())
    await pass(1000)
    expect(result.current).toMatchObject({ isConnected: false, status: 'unauthenticated', user: null })
  })

  test('is that of the next user at once, also when the cookie signs in, and one that lingers is closed', async () => {
    vi.useFakeTimers()
    const of = (id: string): SessionState => ({ status: 'authenticated', data: { user: { id } } })
    let props: RealtimeProviderProps = { session: of('a') }
    let user = 'a'
    server.onHandshake = (socket) => socket.accept(user)
    const { result, rerender } = renderHook(useSocket, {
      wrapper: ({ children }: { children: ReactNode }) => (
        <RealtimeProvider url={server.url} {...props}>
          {children}
        </RealtimeProvider>
      ),
    })
    const become = async (session: SessionState) => {
      props = { session }
      await act(async () => rerender())
    }
    await pass(0)
    await become(of('a')) // the session was asked for again
    await pass(0)
    expect(server.handshakes).toBe(1)

    user = 'b' // another tab signed out and in
    await become(of('b'))
    expect(result.current.user).toBeNull()
    await pass(0)
    expect(result.current.user).toMatchObject({ userId: 'b' })

    await become({ status: 'unauthenticated' })
    user = 'c'
    await become(of('c'))
    await pass(0)
    expect(result.current).toMatchObject({ isConnected: true, user: { userId: 'c' } })
    expect(server.handshakes).toBe(3)
  })

  test('drops what is sent while there is no connection, and says so', async () => {
    const { result } = renderHook(useSocket, within())
    expect(result.current.emit('presence:update', 'away')).toBe(false)
    await settled()
    expect(result.current.emit('presence:update', 'away')).toBe(true)
    expect(server.sent('presence:update')).toEqual([['presence:update', 'away']])
    expect(await result.current.request('notification:read', 'n1')).toEqual({ success: true })
  })
})

describe('listeners', () => {
  test('may come before the socket, and stay through reconnects', async () => {
    const heard = vi.fn()
    const { result, unmount } = renderHook(() => {
      useRealtimeEvent('system:alert', (alert) => heard(alert.message))
      return useSocket()
    }, within())
    const off = result.current.on('custom', heard)
    await settled()
    server.socket.receive('system:alert', { message: 'one' })
    server.socket.drop('io server disconnect')
    await waitFor(() => expect(result.current.isConnected).toBe(true), { timeout: 10_000 })
    server.socket.receive('system:alert', { message: 'two' })
    server.socket.receive('custom', 'three')
    off()
    server.socket.receive('custom', 'four')
    unmount()
    server.socket.receive('system:alert', { message: 'five' })
    expect(heard.mock.calls.flat()).toEqual(['one', 'two', 'three'])
  })

  test('that throw do not keep the others from hearing', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const heard = vi.fn()
    const { result } = renderHook(useSocket, within())
    await settled()
    result.current.on('x', () => {
      throw new Error('oops')
    })
    result.current.on('x', heard)
    server.socket.receive('x')
    expect(heard).toHaveBeenCalledOnce()
    expect(log).toHaveBeenCalledOnce()
  })
})

describe('a refusal', () => {
  test('that passes is tried again by itself, later each time, and not before retryAfter', async () => {
    vi.useFakeTimers()
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    server.onHandshake = (socket) => socket.refuse('AUTH_UNAVAILABLE')
    const { result } = renderHook(useSocket, within())
    await pass(10)
    expect(result.current).toMatchObject({ connection: 'reconnecting', refusal: { code: 'AUTH_UNAVAILABLE' } })
    await pass(1000)
    expect(server.handshakes).toBe(2)
    server.onHandshake = (socket) => socket.refuse('RATE_LIMITED', { retryAfter: 10_000 })
    await pass(2000)
    expect(server.handshakes).toBe(3)
    server.onHandshake = (socket) => socket.accept()
    await pass(9900)
    expect(server.handshakes).toBe(3)
    await pass(200)
    expect(result.current).toMatchObject({ isConnected: true, refusal: null })
  })

  test('of a session that is none is final until the page is looked at again', async () => {
    vi.useFakeTimers()
    server.onHandshake = (socket) => socket.refuse('AUTH_REQUIRED')
    const { result } = renderHook(useSocket, within())
    await pass(60_000)
    expect(result.current).toMatchObject({ connection: 'refused', status: 'unauthenticated', refusal: { code: 'AUTH_REQUIRED' } })
    expect(server.handshakes).toBe(1)
    server.onHandshake = (socket) => socket.accept()
    act(() => void window.dispatchEvent(new Event('focus')))
    await pass(0)
    expect(result.current.isConnected).toBe(true)
  })

  test('of a session that has ended renews it once, and connects with the fresh one', async () => {
    vi.useFakeTimers()
    let fresh = false
    const refreshSession = vi.fn(async () => void (fresh = true))
    server.onHandshake = (socket) => (fresh ? socket.accept() : socket.refuse('TOKEN_EXPIRED'))
    const { result } = renderHook(useSocket, within({ refreshSession }))
    await pass(10)
    expect(refreshSession).toHaveBeenCalledOnce()
    expect(result.current.isConnected).toBe(true)
  })
})

test('a session that is about to end is renewed at leisure, once for each end', async () => {
  vi.useFakeTimers()
  const refreshSession = vi.fn(async () => {})
  renderHook(useSocket, within({ refreshSession }))
  await pass(0)
  const expiresAt = new Date(Date.now() + 60_000).toISOString()
  server.socket.receive('auth:expiring', { expiresAt })
  server.socket.receive('auth:expiring', { expiresAt })
  await pass(20_000)
  expect(refreshSession).toHaveBeenCalledOnce()
  expect(server.handshakes).toBe(2)
  expect(server.socket.connected).toBe(true)
})

test('a page rendered on the server hydrates without a mismatch, although the socket is there by then', async () => {
  const log = vi.spyOn(console, 'error').mockImplementation(() => {})
  const App = () => (
    <RealtimeProvider url={server.url}>
      <State />
    </RealtimeProvider>
  )
  const State = () => <p>{useSocket().connection}</p>
  const html = renderToString(<App />)
  render(<App />) // the same page has connected elsewhere
  await settled()
  const container = document.body.appendChild(document.createElement('div'))
  container.innerHTML = html
  const root = await act(async () => hydrateRoot(container, <App />))
  expect(html).toContain('idle')
  expect(container.textContent).toBe('connected')
  expect(log).not.toHaveBeenCalled()
  expect(screen.getAllByText('connected')).toHaveLength(2)
  act(() => root.unmount())
})
