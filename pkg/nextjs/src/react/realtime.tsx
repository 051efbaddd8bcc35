'use client'

import { createContext, useContext, useEffect, useMemo, type ReactNode } from 'react'
import { useStore } from 'zustand'

import type { ServerToClientEvents } from '../contract.js'

import { connectionTo, type Connection, type ConnectionOptions, type ConnectionState, type Listener } from './connection.js'
import { texts as allTexts, type Locale, type Texts } from './texts.js'
import { useLatest } from './latest.js'

/** What is needed of next-auth's useSession(). */
export interface SessionState {
  status: 'loading' | 'authenticated' | 'unauthenticated'
  data?: { accessToken?: string | null; user?: unknown } | null
}

export interface RealtimeProviderProps extends ConnectionOptions {
  children?: ReactNode
  /** Address of the server where it is not the page's own, such as https://realtime.example.com. */
  url?: string
  /** Default: /api/socket. */
  path?: string
  /** What useSession() of next-auth returns: the socket is there while it says authenticated. Without it, as long as the provider. */
  session?: SessionState
  /** false lets go of the socket. */
  enabled?: boolean
  /** Default: es. */
  locale?: Locale
  /** Texts in place of the locale's. */
  texts?: Partial<Texts>
  /** Names to show for user ids. Without one the e-mail address is shown, if the server told it, or the id. */
  names?: Readonly<Record<string, string>> | ((userId: string) => string | undefined)
}

interface Realtime {
  connection: Connection
  texts: Texts
  locale: Locale
  nameOf: (userId: string) => string
  session?: SessionState
  token?: string
  /** The outermost: there is no provider, and whoever uses the socket holds it. */
  bare?: true
}

const Context = createContext<Realtime | null>(null)

/**
 * Opens the page's one socket and says in which language everything below is. Several providers of the same address share the
 * socket.
 */
export function RealtimeProvider(props: RealtimeProviderProps) {
  const { url = '', path = '/api/socket', session, enabled = true, locale = 'es', texts, names, socketOptions, children } = props
  const connection = connectionTo(url, path)
  const token = props.token ?? session?.data?.accessToken ?? undefined
  const user = session?.data?.user as { id?: string | null; email?: string | null } | null | undefined
  const who = user?.id ?? user?.email ?? ''
  const wanted = enabled && (!session || session.status === 'authenticated')
  const refresh = useLatest(props.refreshSession ?? (url === '' && !token ? renewNextAuthCookie : undefined))
  const firstOptions = useLatest(socketOptions)

  useEffect(() => {
    const refreshSession = () => refresh.current?.() ?? Promise.resolve()
    connection.configure({ token, refreshSession, socketOptions: firstOptions.current }, who)
  }, [connection, token, who, refresh, firstOptions])
  useEffect(() => (wanted ? connection.hold() : undefined), [connection, wanted])

  const value = useMemo((): Realtime => {
    const named = typeof names === 'function' ? names : (id: string) => names?.[id]
    const nameOf = (id: string) => named(id) ?? connection.store.getState().users[id]?.email ?? id
    return { connection, locale, texts: { ...allTexts[locale], ...texts }, nameOf, session, token }
  }, [connection, locale, texts, names, session, token])
  return <Context.Provider value={value}>{children}</Context.Provider>
}

/** NextAuth's own route gives the cookie a new life; an app without it answers 404, and nothing is lost. */
const renewNextAuthCookie = () => fetch('/api/auth/session', { credentials: 'same-origin', cache: 'no-store' })

/** What the nearest RealtimeProvider gives; the page's own server in Spanish where there is none. */
export function useRealtime(): Realtime {
  const given = useContext(Context)
  return given ?? (alone ??= { connection: connectionTo(), locale: 'es', texts: allTexts.es, nameOf: (id) => id, bare: true })
}

let alone: Realtime | undefined

/** A part of the state of the page's connection; the component renders again when that part changes. */
export function useConnectionState<T>(select: (state: ConnectionState) => T): T {
  return useStore(useRealtime().connection.store, select)
}

type Known = keyof ServerToClientEvents

export interface UseSocket {
  /** State, not a ref: connecting and losing the connection render again. */
  isConnected: boolean
  /** The session's, as next-auth names it. Without a `session` given to the provider: what the server said. */
  status: SessionState['status']
  /** The connection's own, finer state. */
  connection: ConnectionState['status']
  /** Who is signed in, as the server knows it. */
  user: ConnectionState['user']
  /** Why the server refused. */
  refusal: ConnectionState['refusal']
  /** Listens until off, or what it returns, is called; through reconnects, and also before the socket is there. */
  on: (<E extends Known>(event: E, listener: ServerToClientEvents[E]) => () => void) &
    ((event: string, listener: Listener) => () => void)
  off: (event: string, listener: Listener) => void
  /** Sends an event; false where it was dropped because there is no connection. */
  emit: (event: string, ...args: unknown[]) => boolean
  /** Sends an event and waits for its acknowledgement; null where it did not go out or nobody answered within 5 s. */
  request: Connection['request']
}

/** The page's one socket. All functions keep their identity. */
export function useSocket(): UseSocket {
  const { connection, session, bare } = useRealtime()
  const { store } = connection
  const status = useStore(store, (s) => s.status)
  const user = useStore(store, (s) => s.user)
  const refusal = useStore(store, (s) => s.refusal)
  useEffect(() => (bare ? connection.hold() : undefined), [bare, connection])

  const functions = useMemo(
    () => ({
      on: connection.on.bind(connection),
      off: connection.off.bind(connection),
      emit: connection.emit.bind(connection),
      request: connection.request.bind(connection),
    }),
    [connection],
  )
  const known = user ? 'authenticated' : status === 'refused' ? 'unauthenticated' : 'loading'
  return {
    ...functions,
    isConnected: status === 'connected',
    status: session?.status ?? known,
    connection: status,
    user,
    refusal,
  }
}

/** Calls the listener of the latest render at each such event, for as long as the component is there. */
export function useRealtimeEvent<E extends Known>(event: E, listener: ServerToClientEvents[E]): void
export function useRealtimeEvent(event: string, listener: Listener): void
export function useRealtimeEvent(event: string, listener: Listener): void {
  const { on } = useSocket()
  const latest = useLatest(listener)
  useEffect(() => on(event, (...args: unknown[]) => latest.current(...args)), [on, event, latest])
}
