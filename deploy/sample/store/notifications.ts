'use client'

import { create } from 'zustand'

export type Item = { id: string; type: string; message: string; data?: any; createdAt: string; read: boolean; priority?: string }

type State = {
  items: Item[]
  set(items: Item[]): void
  add(item: Item): void
  read(id: string): void
  readAll(): void
  remove(id: string): void
}

export const useNotifications = create<State>((set) => ({
  items: [],
  set: (items) => set({ items }),
  add: (item) => set((s) => (s.items.some((i) => i.id === item.id) ? s : { items: [item, ...s.items] })), // each id once
  read: (id) => set((s) => ({ items: s.items.map((i) => (i.id === id ? { ...i, read: true } : i)) })),
  readAll: () => set((s) => ({ items: s.items.map((i) => ({ ...i, read: true })) })),
  remove: (id) => set((s) => ({ items: s.items.filter((i) => i.id !== id) })),
}))

/** A notification as the socket brings it. */
export const fromEvent = (n: any): Item => ({ id: n.id, type: n.type, message: n.message, data: n.data, createdAt: n.createdAt, read: false, priority: n.priority })

/** A notification as the list brings it. */
export const fromRow = (n: any): Item => ({
  id: n.id,
  type: n.type,
  message: n.message,
  data: n.metadata?.eventData,
  createdAt: n.createdAt,
  read: Boolean(n.readAt),
  priority: n.metadata?.priority,
})
