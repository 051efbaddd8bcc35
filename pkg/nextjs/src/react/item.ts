import type { InboxItem, Notification, NotificationMetadata, Priority } from '../contract.js'

/** A notification as the components show it, whether the list or the socket brought it. */
export interface Item {
  id: string
  type: string
  message: string
  data: Record<string, unknown>
  priority: Priority
  createdAt: string
  readAt: string | null
}

/** Which notifications a list shows. */
export interface Filter {
  state?: 'all' | 'unread' | 'read'
  /** An event's name, such as appointment:created; every type without one. */
  type?: string
}

export function fromEvent(n: Notification): Item {
  return {
    id: n.id,
    type: n.type,
    message: n.message,
    data: n.data ?? {},
    priority: n.priority,
    createdAt: n.createdAt,
    readAt: null,
  }
}

export function fromRow(row: InboxItem): Item {
  const metadata = (row.metadata ?? {}) as Partial<NotificationMetadata>
  return {
    id: row.id,
    type: row.type,
    message: row.message,
    data: metadata.eventData ?? {},
    priority: metadata.priority ?? 'medium',
    createdAt: row.createdAt,
    readAt: row.readAt,
  }
}

export function matches(item: Item, { state = 'all', type }: Filter): boolean {
  return (!type || item.type === type) && (state === 'all' || (state === 'read') === (item.readAt !== null))
}

/** One key for filters that show the same. */
export const keyOf = ({ state = 'all', type = '' }: Filter): string => `${state}/${type}`

/** The query of a filter for GET /api/notifications. */
export function queryOf({ state = 'all', type }: Filter, limit: number, cursor: string | null): string {
  const query = new URLSearchParams({ limit: String(limit) })
  if (state !== 'all') query.set(state, 'true')
  if (type) query.set('type', type)
  if (cursor) query.set('cursor', cursor)
  return query.toString()
}

/** A text member of the notification's data, '' where it is none. */
export function text(data: Record<string, unknown>, name: string): string {
  const value = data[name]
  return typeof value === 'string' ? value : ''
}

/** Where a notification leads. Its data comes from whoever made it: what is neither a path of the app nor https(s) is left out. */
export function hrefOf(item: Item): string | undefined {
  const url = text(item.data, 'actionUrl')
  return /^(https?:\/\/|\/(?![/\\]))/i.test(url) ? url : undefined
}
