'use client'

import { useEffect, useId, useRef, useState } from 'react'

import { LoadFailed } from './failed.js'
import { MarkAllRead } from './mark-all-read.js'
import type { Filter, Item } from './item.js'
import { useNotifications } from './use-notifications.js'
import { useRealtime } from './realtime.js'
import { Row } from './row.js'

export interface NotificationCenterProps {
  /** Types offered as filters. Default: those that the package has texts for, each once. */
  types?: readonly string[]
  /** What is shown first. */
  initialFilter?: Filter
  /** Follows a notification's link, such as router.push. Default: the browser does. */
  onOpen?: (href: string, item: Item) => void
  /** Level of the heading. Default: 1. */
  level?: 1 | 2 | 3
  className?: string
}

const states = ['all', 'unread', 'read'] as const
const known = [
  'appointment:created',
  'appointment:updated',
  'appointment:deleted',
  'appointment:rescheduled',
  'appointment:reminder',
  'schedule:updated',
  'schedule:conflict',
  'system:alert',
  'commission:earned',
  'payment:received',
]

/** All notifications, filtered by state and type; more are loaded as one scrolls. */
export function NotificationCenter({
  types = known,
  initialFilter = {},
  onOpen,
  level = 1,
  className = '',
}: NotificationCenterProps) {
  const { texts } = useRealtime()
  const [filter, setFilter] = useState(initialFilter)
  const { items, unread, loading, failed, hasMore, cursor, markRead, markAllRead, remove, loadMore, reload } =
    useNotifications(filter)
  const headingId = useId()
  const heading = useRef<HTMLHeadingElement>(null)
  const list = useRef<HTMLUListElement>(null)
  const Heading = `h${level}` as 'h1' | 'h2' | 'h3'

  /** The row beside one that goes away. */
  function neighbour(index: number): HTMLElement | undefined {
    const rows = list.current?.children
    return (rows?.[index + 1] ?? rows?.[index - 1]) as HTMLElement | undefined
  }

  /** With a filter of unread ones the row goes away, which has the focus. */
  function read(item: Item, index: number): void {
    if (filter.state === 'unread') (neighbour(index) ?? heading.current)?.focus()
    void markRead(item.id)
  }

  /** The button that had the focus goes away with its row: the focus moves to the neighbour, or to the heading. */
  function erase(item: Item, index: number): void {
    const target = neighbour(index)?.querySelector<HTMLElement>('.cpr-row-actions button:last-child') ?? heading.current
    void remove(item.id)
    target?.focus()
  }

  return (
    <section className={`cpr cpr-center ${className}`} aria-labelledby={headingId}>
      <header className="cpr-center-head">
        <Heading id={headingId} ref={heading} tabIndex={-1}>
          {texts.notifications}
        </Heading>
        <MarkAllRead unread={unread} mark={markAllRead} next={heading} />
      </header>
      <div className="cpr-filters">
        <label>
          {texts.filterState}
          <select
            value={filter.state ?? 'all'}
            onChange={(e) => setFilter({ ...filter, state: e.target.value as Filter['state'] })}
          >
            {states.map((state) => (
              <option key={state} value={state}>
                {texts.states[state]}
              </option>
            ))}
          </select>
        </label>
        <label>
          {texts.filterType}
          <select value={filter.type ?? ''} onChange={(e) => setFilter({ ...filter, type: e.target.value || undefined })}>
            <option value="">{texts.allTypes}</option>
            {types.map((type) => (
              <option key={type} value={type}>
                {texts.types[type] ?? type}
              </option>
            ))}
          </select>
        </label>
      </div>
      {failed && <LoadFailed onRetry={() => void reload()} />}
      {items.length > 0 && (
        <ul className="cpr-list" ref={list} aria-labelledby={headingId} aria-busy={loading}>
          {items.map((item, index) => (
            <Row
              key={item.id}
              item={item}
              onRead={() => read(item, index)}
              onRemove={() => erase(item, index)}
              onOpen={onOpen}
            />
          ))}
        </ul>
      )}
      <p className="cpr-empty" role="status">
        {loading
          ? texts.loading
          : !failed && items.length === 0 && !hasMore
            ? filter.state || filter.type
              ? texts.noneMatch
              : texts.none
            : ''}
      </p>
      {hasMore && <More key={cursor} onMore={loadMore} />}
    </section>
  )
}

/** Loads more when it comes into view; a button for those who do not scroll. Made anew for each page: it may be in view already. */
function More({ onMore }: { onMore: () => Promise<void> }) {
  const { texts } = useRealtime()
  const button = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    if (!button.current || typeof IntersectionObserver === 'undefined') return
    const observer = new IntersectionObserver((entries) => entries.some((e) => e.isIntersecting) && void onMore(), {
      rootMargin: '300px',
    })
    observer.observe(button.current)
    return () => observer.disconnect()
  }, [onMore])
  return (
    <button ref={button} type="button" className="cpr-button cpr-more" onClick={() => void onMore()}>
      {texts.loadMore}
    </button>
  )
}
