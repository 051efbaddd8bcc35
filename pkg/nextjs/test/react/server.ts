import { act } from '@testing-library/react'
import { vi } from 'vitest'

import type { InboxItem, Notification, Preferences, Role } from '../../src/contract.js'

type Listener = (...args: any[]) => void

/** socket.io-client's socket as far as the package uses it, with the other end in the test's hands. */
class FakeSocket {
  connected = false
  active = false
  sent: unknown[][] = []
  #handlers = new Map<string, Listener[]>()
  #any: Listener[] = []

  constructor(
    readonly server: Server,
    readonly options: { auth: (send: (auth: object) => void) => void },
  ) {}

  on(event: string, listener: Listener) {
    this.#handlers.set(event, [...(this.#handlers.get(event) ?? []), listener])
  }
  onAny(listener: Listener) {
    this.#any.push(listener)
  }
  connect() {
    this.active = true
    this.server.handshakes++
    setTimeout(() => this.server.onHandshake(this))
  }
  disconnect() {
    const was = this.connected
    this.connected = this.active = false
    if (was) this.fire('disconnect', 'io client disconnect')
  }
  emit(event: string, ...args: unknown[]) {
    this.sent.push([event, ...args])
  }
  timeout() {
    return {
      emitWithAck: async (event: string, ...args: unknown[]) => {
        this.sent.push([event, ...args])
        return this.server.acknowledge(event, ...args)
      },
    }
  }

  fire(event: string, ...args: unknown[]) {
    act(() => this.#handlers.get(event)?.forEach((listener) => listener(...args)))
  }
  accept(userId = 'me', role: Role = 'ADMIN') {
    if (!this.active) return // let go of meanwhile
    this.connected = true
    this.fire('connect')
    this.receive('connection:success', { userId, tenantId: 't1', role, timestamp: new Date().toISOString() })
  }
  refuse(code: string, more: object = {}) {
    this.active = false
    this.fire('connect_error', Object.assign(new Error(code), { data: { code, ...more } }))
  }
  receive(event: string, ...args: unknown[]) {
    act(() => this.#any.forEach((listener) => listener(event, ...args)))
  }
  /** Loses the connection; socket.io-client comes back by itself but for "io server disconnect". */
  drop(reason = 'transport close') {
    this.connected = false
    this.active = reason !== 'io server disconnect'
    this.fire('disconnect', reason)
  }
}

let serial = 0
let current: Server

/** The server of one test: sockets, and the inbox routes over rows in memory. */
export class Server {
  readonly url = `http://server-${++serial}.test`
  readonly sockets: FakeSocket[] = []
  handshakes = 0
  rows: InboxItem[] = []
  preferences: Preferences = preferences()
  requests: string[] = []
  bodies: any[] = []
  onHandshake = (socket: FakeSocket) => socket.accept()
  acknowledge = async (event: string, ...args: unknown[]): Promise<object> => {
    if (event === 'notification:read') this.read((row) => row.id === args[0])
    if (event === 'notification:read:all') this.read(() => true)
    return { success: true }
  }
  /** The status to refuse a request with; undefined answers it. */
  refuse: (request: string) => number | undefined | Promise<number | undefined> = () => undefined

  constructor() {
    current = this
    vi.stubGlobal('fetch', (url: string, init: RequestInit = {}) => this.#fetch(url, init))
  }

  get socket(): FakeSocket {
    return this.sockets.at(-1)!
  }
  /** Everything that was sent, of one event. */
  sent(event: string): unknown[][] {
    return this.sockets.flatMap((s) => s.sent).filter(([name]) => name === event)
  }
  notify(change: Partial<Notification> = {}): Notification {
    const n: Notification = {
      id: `n${++serial}`,
      type: 'appointment:created',
      message: 'Nueva cita: Carla - Corte',
      data: {},
      userId: 'me',
      tenantId: 't1',
      createdAt: new Date().toISOString(),
      priority: 'high',
      ...change,
    }
    this.rows.unshift(row(n.id, { type: n.type, message: n.message, createdAt: n.createdAt }))
    this.socket.receive('notification:new', n)
    return n
  }
  read(which: (row: InboxItem) => boolean): void {
    this.rows = this.rows.map((r) => (which(r) ? { ...r, readAt: r.readAt ?? new Date().toISOString() } : r))
  }

  async #fetch(url: string, { method = 'GET', body }: RequestInit): Promise<Response> {
    const { pathname, searchParams } = new URL(url)
    const request = `${method} ${pathname.replace('/api/notifications', '')}${url.includes('?') ? `?${searchParams}` : ''}`
    this.requests.push(request)
    if (body) this.bodies.push(JSON.parse(String(body)))
    const status = await this.refuse(request)
    if (status === 0) throw new TypeError('fetch failed')
    if (status) return Response.json({ error: 'refused' }, { status })
    return Response.json(this.#answer(method, pathname.replace('/api/notifications', ''), searchParams, body))
  }

  #answer(method: string, path: string, query: URLSearchParams, body: unknown): unknown {
    if (path === '/stats') return { unreadCount: this.rows.filter((r) => !r.readAt).length }
    if (path === '/preferences') {
      if (method === 'PUT') this.preferences = JSON.parse(String(body))
      return { success: true, preferences: this.preferences }
    }
    const id = path.split('/')[1]
    if (method === 'PATCH') this.read((r) => r.id === id)
    if (method === 'DELETE') this.rows = this.rows.filter((r) => r.id !== id)
    if (method === 'POST') this.read(() => true)
    if (method !== 'GET') return { success: true }
    const wanted = this.rows.filter(
      (r) =>
        (!query.get('unread') || !r.readAt) &&
        (!query.get('read') || r.readAt) &&
        (!query.get('type') || r.type === query.get('type')),
    )
    const from = query.get('cursor') ? wanted.findIndex((r) => r.id === query.get('cursor')) + 1 : 0
    const limit = Number(query.get('limit'))
    const page = wanted.slice(from, from + limit)
    return {
      notifications: page,
      pagination: { total: wanted.length, limit, nextCursor: from + limit < wanted.length ? page.at(-1)!.id : null },
    }
  }
}

/** What vi.mock puts in the place of socket.io-client. */
export const io = (_url: string, options: any) => {
  const socket = new FakeSocket(current, options)
  current.sockets.push(socket)
  return socket
}

export function row(id: string, change: Partial<InboxItem> = {}): InboxItem {
  return {
    id,
    type: 'appointment:created',
    channel: 'PUSH',
    message: `Cita ${id}`,
    metadata: { isRealtime: true, eventData: {}, priority: 'high' },
    status: 'SENT',
    readAt: null,
    createdAt: new Date(Date.now() - 60_000).toISOString(),
    appointmentId: null,
    ...change,
  }
}

export function preferences(change: Partial<Preferences> = {}): Preferences {
  return {
    id: 'p1',
    userId: 'me',
    enablePushNotifications: true,
    enableEmailNotifications: true,
    enableSMSNotifications: false,
    enableWhatsAppNotifications: false,
    notifyAppointmentCreated: true,
    notifyAppointmentUpdated: true,
    notifyAppointmentCancelled: true,
    notifyAppointmentReminder: true,
    notifyScheduleChanges: true,
    notifySystemAlerts: true,
    enableSounds: true,
    enableDesktopNotifications: false,
    enableToastNotifications: true,
    reminderMinutesBefore: [1440, 60],
    tenantId: 't1',
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    ...change,
  }
}

/** Lets everything that is due happen. */
export const settled = (ms = 0) => act(() => new Promise<void>((resolve) => setTimeout(resolve, ms)))
