import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client'
import { createStore } from 'zustand/vanilla'

import type { Ack, ConnectErrorData, ConnectionSuccess, ErrorCode } from '../contract.js'

import { cutOff, learn, nobody, type Colleagues } from './colleagues.js'

/**
 * `idle`: nobody asked for it. `refused`: the server knows nobody by this session; it is tried again when the page is looked at
 * again, or the session changes. All else comes right by itself.
 */
export type ConnectionStatus = 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'refused'

export interface ConnectionState extends Colleagues {
  status: ConnectionStatus
  /** Who is signed in; null until the server has said so. */
  user: ConnectionSuccess | null
  /** Why the server refused, in `refused` and while a refusal that passes is waited for. */
  refusal: { code: ErrorCode | 'UNKNOWN'; message: string } | null
  /** How often it has been connected. It changes when events may have been missed: load anew then. */
  connects: number
}

export interface ConnectionOptions {
  /** Sent with each handshake; without one, the session cookie that the browser sends signs in. */
  token?: string
  /** Renews the session cookie: called before a session ends, and when it has. */
  refreshSession?: () => Promise<unknown>
  /** Further options of socket.io-client, read when the socket is made. */
  socketOptions?: Partial<ManagerOptions & SocketOptions>
}

export type Listener = (...args: any[]) => void

const lingers = 1000 // milliseconds without a holder before it is closed: React's strict mode and a change of page let go for a moment
const answersWithin = 5000
const longestPause = 30_000
const passing: readonly string[] = ['AUTH_UNAVAILABLE', 'UNAVAILABLE', 'RATE_LIMITED', 'INTERNAL'] satisfies ErrorCode[]

/** The one socket of a page to one server. Listeners belong to it and not to a socket, so they survive whatever happens to that. */
export class Connection {
  readonly store = createStore<ConnectionState>(() => ({ ...nobody, status: 'idle', user: null, refusal: null, connects: 0 }))
  #options: ConnectionOptions = {}
  #socket: Socket | undefined
  #listeners = new Map<string, Set<Listener>>()
  #announced = new Map<string, { count: number; say: unknown[]; undo?: unknown[] }>()
  #holders = 0
  #letGo: ReturnType<typeof setTimeout> | undefined
  #again: ReturnType<typeof setTimeout> | undefined
  #refusals = 0
  #renewedFor = ''
  #tried = 0
  #who = ''

  constructor(
    readonly url: string,
    readonly path: string,
  ) {}

  /** Takes new options; another token signs in anew, and so does another user: `who` the session is, '' where it does not say. */
  configure(options: ConnectionOptions, who = ''): void {
    const another = who !== '' && this.#who !== '' && who !== this.#who
    const changed = another || (options.token ?? '') !== (this.#options.token ?? '')
    this.#options = options
    this.#who = who || this.#who
    if (!changed) return
    if (another) this.#set({ ...nobody, user: null })
    if (this.#holders > 0) this.reconnect()
    else this.#close() // one that lingers is the user's who has gone
  }

  /** Connects for as long as anybody holds it. Returns what lets go of it. */
  hold(): () => void {
    clearTimeout(this.#letGo)
    if (++this.#holders === 1) this.#open()
    else this.#lookAgain(1000) // somebody new has come, perhaps after signing in
    let held = true
    return () => {
      if (!held) return
      held = false
      if (--this.#holders === 0) this.#letGo = setTimeout(() => this.#close(), lingers)
    }
  }

  /** Calls the listener at each such event until the function returned, or off, is called. */
  on(event: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, listeners.add(listener))
    return () => this.off(event, listener)
  }

  off(event: string, listener: Listener): void {
    this.#listeners.get(event)?.delete(listener)
  }

  /** Sends an event and tells whether it went out: while not connected it is dropped, so that nothing stale is sent later. */
  emit(event: string, ...args: unknown[]): boolean {
    if (!this.#socket?.connected) return false
    this.#socket.emit(event, ...args)
    return true
  }

  /** Sends an event and waits for its acknowledgement; null where it did not go out or nobody answered. */
  async request<T extends Ack = Ack>(event: string, ...args: unknown[]): Promise<T | null> {
    if (!this.#socket?.connected) return null
    try {
      return await this.#socket.timeout(answersWithin).emitWithAck(event, ...args)
    } catch {
      return null
    }
  }

  /** Says something that holds until it is undone: now, and again after each reconnect. What several say is said once. */
  announce(say: [event: string, payload: unknown], undo?: [event: string, payload: unknown]): () => void {
    const key = JSON.stringify(say)
    const announced = this.#announced.get(key) ?? { count: 0, say, undo }
    if (++announced.count === 1) this.emit(...say)
    this.#announced.set(key, announced)
    let standing = true
    return () => {
      if (!standing) return
      standing = false
      if (--announced.count > 0) return
      this.#announced.delete(key)
      if (undo) this.emit(...undo)
    }
  }

  /** Signs in anew, with the session as it is now. */
  reconnect(): void {
    if (this.#holders === 0) return
    clearTimeout(this.#again)
    this.#tried = Date.now()
    this.#socket?.disconnect()
    this.#set({ status: this.store.getState().connects > 0 ? 'reconnecting' : 'connecting' })
    this.#socket?.connect()
  }

  #set(state: Partial<ConnectionState>): void {
    this.store.setState(state)
  }

  #open(): void {
    this.#socket ??= this.#make()
    if (this.#socket.active) return // it lingered
    this.#set({ status: 'connecting' })
    this.#socket.connect()
    for (const event of ['focus', 'online']) window.addEventListener(event, this.#lookedAt)
  }

  #close(): void {
    clearTimeout(this.#letGo)
    clearTimeout(this.#again)
    // It lingers, and in an app's tests its page may be gone by now.
    if (typeof window !== 'undefined') for (const event of ['focus', 'online']) window.removeEventListener(event, this.#lookedAt)
    this.#socket?.disconnect()
    this.#set({ ...nobody, status: 'idle', user: null, refusal: null })
  }

  /** A page that was refused is looked at again: the user may have signed in elsewhere. */
  #lookedAt = () => this.#lookAgain(5000)

  #lookAgain(apart: number): void {
    if (this.store.getState().status === 'refused' && Date.now() - this.#tried > apart) this.reconnect()
  }

  #make(): Socket {
    const socket = io(this.url || undefined, {
      path: this.path,
      addTrailingSlash: false,
      withCredentials: true,
      reconnectionDelay: 1000,
      reconnectionDelayMax: 10_000,
      ...this.#options.socketOptions,
      forceNew: true,
      autoConnect: false,
      auth: (send) => send({ token: this.#options.token ?? '' }),
    })
    socket.on('connect', () => {
      this.#refusals = 0
      this.#set({ status: 'connected', refusal: null, connects: this.store.getState().connects + 1 })
      for (const { say } of this.#announced.values()) this.emit(...(say as [string, unknown]))
    })
    socket.on('disconnect', (reason) => this.#lost(reason))
    socket.on('connect_error', (error) => this.#refused(error as Error & { data?: ConnectErrorData }))
    socket.onAny((event: string, ...args: unknown[]) => this.#dispatch(event, args))
    return socket
  }

  #dispatch(event: string, args: unknown[]): void {
    const state = this.store.getState()
    const known = learn(state, event, args[0])
    if (known !== state) this.#set(known)
    if (event === 'connection:success') this.#set({ user: args[0] as ConnectionSuccess })
    if (event === 'auth:expiring') void this.#renew((args[0] as { expiresAt: string }).expiresAt)
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        listener(...args)
      } catch (error) {
        console.error(`realtime: a listener of ${event} threw`, error) // and the others are still told
      }
    }
  }

  #lost(reason: string): void {
    if (reason === 'io client disconnect') return
    this.#set({ ...cutOff(this.store.getState()), status: 'reconnecting' })
    // The server closed it: the session has ended, or its rights are others now. socket.io-client does not come back from that.
    if (reason === 'io server disconnect') this.#later(500 + Math.random() * 1000)
  }

  #refused(error: Error & { data?: ConnectErrorData }): void {
    if (this.#socket?.active) {
      // not refused: not reached, and socket.io-client tries again
      if (this.store.getState().connects > 0) this.#set({ status: 'reconnecting' })
      return
    }
    const code = error.data?.code ?? 'UNKNOWN'
    const refusal: ConnectionState['refusal'] = { code, message: error.message }
    this.#refusals++
    if (passing.includes(code)) {
      this.#set({ status: 'reconnecting', refusal })
      const pause = Math.min(1000 * 2 ** (this.#refusals - 1), longestPause) * (0.5 + Math.random())
      this.#later(Math.max(pause, error.data?.retryAfter ?? 0))
    } else if (code === 'TOKEN_EXPIRED' && this.#refusals === 1 && this.#options.refreshSession) {
      this.#set({ status: 'reconnecting', refusal })
      void this.#refresh().then(() => this.reconnect())
    } else {
      this.#set({ ...nobody, status: 'refused', user: null, refusal })
    }
  }

  #later(pause: number): void {
    clearTimeout(this.#again)
    this.#again = setTimeout(() => this.reconnect(), pause)
  }

  /** The session ends soon: sign in anew with a fresh one, not all pages of an office at the same moment. Once for each end. */
  async #renew(expiresAt: string): Promise<void> {
    const left = Date.parse(expiresAt) - Date.now()
    if (expiresAt === this.#renewedFor || Number.isNaN(left)) return
    this.#renewedFor = expiresAt
    const pause = document.hidden ? 0 : Math.random() * Math.min(20_000, Math.max(0, left - 15_000))
    clearTimeout(this.#again)
    this.#again = setTimeout(() => void this.#refresh().then(() => this.reconnect()), pause)
  }

  async #refresh(): Promise<void> {
    try {
      await this.#options.refreshSession?.()
    } catch (error) {
      console.error('realtime: the session could not be renewed', error)
    }
  }
}

const connections = new Map<string, Connection>()

/** The page's connection to a server: the same for everybody who names the same address. It connects when it is held. */
export function connectionTo(url = '', path = '/api/socket'): Connection {
  const key = `${url}${path}`
  const connection = connections.get(key) ?? new Connection(url, path)
  connections.set(key, connection)
  return connection
}
