'use client'

import type { RefObject } from 'react'

import { useRealtime } from './realtime.js'

/** Marks everything as read; the focus goes to `next`: a button that is disabled has none. */
export function MarkAllRead({ unread, mark, next }: { unread: number; mark: () => Promise<void>; next: RefObject<HTMLElement | null> }) {
  const { texts } = useRealtime()
  return (
    <button
      type="button"
      className="cpr-button"
      disabled={unread === 0}
      onClick={() => {
        next.current?.focus()
        void mark()
      }}
    >
      {texts.markAllRead}
    </button>
  )
}
