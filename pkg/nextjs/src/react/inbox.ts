import { createStore } from 'zustand/vanilla'

import type { Ack, Notification, NotificationRead, Preferences } from '../contract.js'

import type { Connection } from './connection.js'
import { fromEvent, fromRow, keyOf, matches, queryOf, type Filter, type Item } from './item.js'
import { RequestFailed, type Requests } from './requests.js'

export interface ListState {
  filter: Filter
  /** Newest first. Some may be deleted, or match no more: look them up and filter. */
  ids: readonly string[]
  /** null where all is loaded. */
  cursor: string | null
  /** Whether it was ever answered. */
  loaded: boolean
  loading: boolean
  failed: boolean
}

export interface InboxState {
  /** Every notification known, by id: each is there once, whichever lists show it. */
  items: Readonly<Record<string, Item>>
  lists: Readonly<Record<string, ListState>>
  /** Unread ones in all, also of those that are not loaded. */
  unread: number
  preferences: Preferences | null
  preferencesFailed: boolean
}

/** What went wrong, for whoever shows it. */
export type Failure = 'readFailed' | 'removeFailed' | 'saveFailed'

const empty: ListState = { filter: {}, ids: [], cursor: null, loaded: false, loading: false, failed: false }

/**
 * A user's notifications on this page. What the user does shows at once and is taken back where the server refuses it; what
 * other devices do comes over the socket.
 */
export class Inbox {
  readonly store = createStore<InboxState>(() => ({
    items: {},
    lists: {},
    unread: 0,
    preferences: null,
    preferencesFailed: false,
  }))
  /** Read here and not confirmed yet; another device's word about one of them ends that. */
  #pending = new Set<string>()
  /** Deleted here or elsewhere: one that comes again (it may, after a crash of the server) stays away. */
  #gone = new Set<string>()
  #counting: ReturnType<typeof setTimeout> | undefined
  #counts = 0
  #asked = new Map<string, number>() // of each list the number of its newest request: older answers are too late
  #saves = 0
  #watchers = new Set<(item: Item) => void>()

  constructor(
    readonly connection: Connection,
    readonly requests: Requests,
    readonly pageSize: number,
    readonly onFailure: (failure: Failure) => void,
  ) {}

  /** Listens to the socket until the function returned is called. */
  listen(): () => void {
    const { connection } = this
    const offs = [
      connection.on('notification:new', (n: Notification) => {
        const item = fromEvent(n)
        if (this.#add(item)) this.#watchers.forEach((watch) => watch(item))
      }),
      connection.on('notification:read:success', ({ notificationId }: NotificationRead) => this.#wasRead(notificationId)),
      connection.on('notification:read:all:success', () => this.#allWereRead()),
      connection.on('notification:deleted', ({ notificationId }: NotificationRead) => this.#wasDeleted(notificationId)),
    ]
    return () => offs.forEach((off) => off())
  }

  /** Tells of each notification that comes over the socket and was not known yet, until the function returned is called. */
  onNew(watch: (item: Item) => void): () => void {
    this.#watchers.add(watch)
    return () => void this.#watchers.delete(watch)
  }

  /** Forgets everything: somebody else signs in, or nobody. Answers under way are too late. */
  clear(): void {
    this.#asked.forEach((n, key) => this.#asked.set(key, n + 1))
    this.#counts++
    this.#saves++
    this.#pending.clear()
    this.#gone.clear()
    this.store.setState(this.store.getInitialState(), true)
  }

  /** Loads a list's first page, or, after an outage, what is new in the lists that are shown. */
  async load(filter: Filter = {}): Promise<void> {
    const key = keyOf(filter)
    if (key === keyOf({})) void this.count()
    await this.#page(filter, null, (old, ids, cursor) => {
      // What is known beyond this page stays, where the page reaches it: nobody who has scrolled is thrown back.
      const last = ids.at(-1)
      const at = last === undefined ? -1 : old.ids.indexOf(last)
      const rest = at < 0 ? [] : old.ids.slice(at + 1)
      return { ids: [...ids, ...rest], cursor: rest.length ? old.cursor : cursor }
    })
  }

  /** Loads a list's next page. */
  async more(filter: Filter): Promise<void> {
    const list = this.store.getState().lists[keyOf(filter)]
    if (!list?.cursor || list.loading) return
    await this.#page(filter, list.cursor, (old, ids, cursor) => ({
      ids: [...old.ids, ...ids.filter((id) => !old.ids.includes(id))],
      cursor,
    }))
  }

  /** Loads again whatever was loaded: events may have been missed. */
  async resync(): Promise<void> {
    const { lists } = this.store.getState()
    await Promise.all([
      this.load(),
      ...Object.entries(lists)
        .filter(([key]) => key !== keyOf({}))
        .map(([, list]) => this.load(list.filter)),
    ])
  }

  /** Asks how many are unread. */
  async count(): Promise<void> {
    const mine = ++this.#counts
    try {
      const { unreadCount } = await this.requests.stats()
      if (mine === this.#counts) this.store.setState({ unread: unreadCount })
    } catch {
      // The number that is there is the best there is; the list says that the server does not answer.
    }
  }

  async markRead(id: string): Promise<void> {
    if (this.store.getState().items[id]?.readAt !== null) return
    this.#pending.add(id)
    this.#setRead([id], new Date().toISOString())
    const done = await this.#say('notification:read', id, () => this.requests.markRead(id))
    if (!done && this.#pending.has(id)) {
      this.#setRead([id], null)
      this.onFailure('readFailed')
    }
    this.#pending.delete(id)
  }

  async markAllRead(): Promise<void> {
    const { items, unread } = this.store.getState()
    const ids = Object.values(items)
      .filter((i) => i.readAt === null)
      .map((i) => i.id)
    if (ids.length === 0 && unread === 0) return
    ids.forEach((id) => this.#pending.add(id))
    this.#setRead(ids, new Date().toISOString())
    this.store.setState({ unread: 0 })
    const done = await this.#say('notification:read:all', null, () => this.requests.markAllRead())
    if (!done) {
      this.#setRead(
        ids.filter((id) => this.#pending.has(id)),
        null,
      )
      this.store.setState({ unread })
      this.onFailure('readFailed')
      this.#countSoon()
    }
    ids.forEach((id) => this.#pending.delete(id))
  }

  async remove(id: string): Promise<void> {
    const item = this.store.getState().items[id]
    if (!item) return
    this.#drop(id)
    try {
      await this.requests.remove(id)
    } catch (error) {
      if (error instanceof RequestFailed && error.status === 404) return // another device was faster
      this.#gone.delete(id)
      this.store.setState(({ items, unread }) => ({
        items: { ...items, [id]: item },
        unread: unread + (item.readAt === null ? 1 : 0),
      }))
      this.onFailure('removeFailed')
    }
  }

  async loadPreferences(): Promise<void> {
    try {
      this.store.setState({ preferences: await this.requests.preferences(), preferencesFailed: false })
    } catch {
      this.store.setState({ preferencesFailed: true })
    }
  }

  /** Saves changes of the preferences; tells whether the server took them. */
  async savePreferences(changes: Partial<Preferences>): Promise<boolean> {
    const before = this.store.getState().preferences
    if (!before) return false
    const row = { ...before, ...changes }
    this.store.setState({ preferences: row })
    const mine = ++this.#saves
    try {
      const saved = await this.requests.savePreferences(row)
      if (saved && mine === this.#saves) this.store.setState({ preferences: saved })
      return true
    } catch {
      // Only what is still as this change left it: a later change stands.
      const now = this.store.getState().preferences as unknown as Record<string, unknown>
      const was = before as unknown as Record<string, unknown>
      const back = Object.entries(changes)
        .filter(([name, value]) => now[name] === value)
        .map(([name]) => [name, was[name]])
      this.store.setState({ preferences: { ...now, ...Object.fromEntries(back) } as unknown as Preferences })
      this.onFailure('saveFailed')
      return false
    }
  }

  /** By the socket, whose answer is the server's own; by HTTP where there is none, or no answer. Tells whether it was taken. */
  async #say(event: string, payload: unknown, byHTTP: () => Promise<unknown>): Promise<boolean> {
    const ack = await this.connection.request<Ack>(event, payload)
    if (ack) return ack.success
    return byHTTP().then(
      () => true,
      () => false,
    )
  }

  async #page(
    filter: Filter,
    cursor: string | null,
    merge: (old: ListState, ids: string[], cursor: string | null) => Partial<ListState>,
  ) {
    const key = keyOf(filter)
    const mine = (this.#asked.get(key) ?? 0) + 1
    this.#asked.set(key, mine)
    this.#setList(key, { filter, loading: true })
    try {
      const { notifications, pagination } = await this.requests.list(queryOf(filter, this.pageSize, cursor))
      if (mine !== this.#asked.get(key)) return
      const items = { ...this.store.getState().items }
      for (const item of notifications.map(fromRow)) {
        const known = items[item.id]
        if (!this.#gone.has(item.id))
          items[item.id] = known && this.#pending.has(item.id) ? { ...item, readAt: known.readAt } : item
      }
      this.store.setState({ items })
      const old = this.store.getState().lists[key] ?? empty
      const ids = notifications.map((n) => n.id)
      this.#setList(key, { ...merge(old, ids, pagination.nextCursor), loaded: true, loading: false, failed: false })
    } catch {
      if (mine === this.#asked.get(key)) this.#setList(key, { loading: false, failed: true })
    }
  }

  #setList(key: string, change: Partial<ListState>): void {
    this.store.setState(({ lists }) => ({ lists: { ...lists, [key]: { ...(lists[key] ?? empty), ...change } } }))
  }

  /** Puts a new one on top of the lists that show it; false where it is known. */
  #add(item: Item): boolean {
    const { items, lists, unread } = this.store.getState()
    if (items[item.id] || this.#gone.has(item.id)) return false
    const grown = Object.entries(lists).map(([key, list]): [string, ListState] => [
      key,
      matches(item, list.filter) ? { ...list, ids: [item.id, ...list.ids] } : list,
    ])
    this.store.setState({ items: { ...items, [item.id]: item }, lists: Object.fromEntries(grown), unread: unread + 1 })
    return true
  }

  /** Sets when some were read, null for unread, and moves the count along. */
  #setRead(ids: string[], readAt: string | null): void {
    this.store.setState(({ items, unread }) => {
      const changed = ids.filter((id) => items[id] && (items[id].readAt === null) !== (readAt === null))
      const now = Object.fromEntries(changed.map((id) => [id, { ...items[id]!, readAt }]))
      return { items: { ...items, ...now }, unread: Math.max(0, unread + (readAt === null ? changed.length : -changed.length)) }
    })
  }

  #wasRead(id: string): void {
    this.#pending.delete(id)
    if (this.store.getState().items[id]) this.#setRead([id], new Date().toISOString())
    else this.#countSoon()
  }

  #allWereRead(): void {
    this.#pending.clear()
    this.#setRead(Object.keys(this.store.getState().items), new Date().toISOString())
    this.store.setState({ unread: 0 })
  }

  #wasDeleted(id: string): void {
    if (this.store.getState().items[id]) this.#drop(id)
    else if (!this.#gone.has(id)) this.#countSoon()
    this.#gone.add(id)
  }

  #drop(id: string): void {
    this.#gone.add(id)
    this.store.setState(({ items: { [id]: item, ...items }, unread }) => ({
      items,
      unread: Math.max(0, unread - (item?.readAt === null ? 1 : 0)),
    }))
  }

  /** Something happened to one that is not loaded: whether it counted, only the server knows. */
  #countSoon(): void {
    clearTimeout(this.#counting)
    this.#counting = setTimeout(() => void this.count(), 300)
  }
}
