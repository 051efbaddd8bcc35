'use client'

import { createContext, useContext, useEffect, useMemo } from 'react'
import { useStore } from 'zustand'
import { useShallow } from 'zustand/react/shallow'

import type { Inbox, InboxState, ListState } from './inbox.js'
import { keyOf, matches, type Filter, type Item } from './item.js'

/** Filled by NotificationProvider. */
export const InboxContext = createContext<Inbox | null>(null)

/** The inbox of the nearest NotificationProvider. */
export function useInbox(): Inbox {
  const inbox = useContext(InboxContext)
  if (!inbox) throw new Error('@citaplanner/realtime: this component must be below a <NotificationProvider>')
  return inbox
}

/** A part of what is known of the user's notifications. */
export function useInboxState<T>(select: (state: InboxState) => T): T {
  return useStore(useInbox().store, select)
}

export interface UseNotifications {
  /** Newest first, each once. */
  items: Item[]
  /** Unread ones in all. */
  unread: number
  /** Nothing has been answered yet. */
  loading: boolean
  /** The last request failed. */
  failed: boolean
  hasMore: boolean
  /** Where the next page begins: it changes with each page. */
  cursor: string | null
  markRead: (id: string) => Promise<void>
  markAllRead: () => Promise<void>
  remove: (id: string) => Promise<void>
  /** Loads the next page. */
  loadMore: () => Promise<void>
  reload: () => Promise<void>
}

const nothing: Partial<ListState> = {}

/** The user's notifications that a filter lets through, all of them without one, and what can be done with them. */
export function useNotifications(filter: Filter = {}): UseNotifications {
  const inbox = useInbox()
  const { state, type } = filter
  const key = keyOf(filter)
  const list = useStore(inbox.store, (s) => s.lists[key] ?? nothing)
  const unread = useStore(inbox.store, (s) => s.unread)
  const items = useStore(
    inbox.store,
    useShallow((s) =>
      (s.lists[key]?.ids ?? []).flatMap((id) => (s.items[id] && matches(s.items[id], filter) ? [s.items[id]] : [])),
    ),
  )
  useEffect(() => {
    // The list without a filter is the provider's matter.
    if (key !== keyOf({})) void inbox.load({ state, type })
  }, [inbox, key, state, type])

  const actions = useMemo(
    () => ({
      markRead: (id: string) => inbox.markRead(id),
      markAllRead: () => inbox.markAllRead(),
      remove: (id: string) => inbox.remove(id),
      loadMore: () => inbox.more({ state, type }),
      reload: () => inbox.load({ state, type }),
    }),
    [inbox, state, type],
  )
  const cursor = list.cursor ?? null
  return {
    items,
    unread,
    loading: !list.loaded && !list.failed,
    failed: list.failed ?? false,
    hasMore: cursor !== null,
    cursor,
    ...actions,
  }
}
