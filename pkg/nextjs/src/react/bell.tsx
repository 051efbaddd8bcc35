'use client'

import { Bell } from 'lucide-react'
import { useEffect, useId, useRef, useState, type ComponentType, type ReactNode } from 'react'

import { useDismiss } from './dismiss.js'
import { LoadFailed } from './failed.js'
import { MarkAllRead } from './mark-all-read.js'
import { useInbox, useNotifications } from './use-notifications.js'
import type { Item } from './item.js'
import { useRealtime } from './realtime.js'
import { Row } from './row.js'

export interface NotificationBellProps {
  /** Where the center is. Default: /notifications. */
  centerHref?: string
  /** Notifications shown. Default: 5. */
  count?: number
  /** The app's link, such as next/link. Default: a. */
  link?: ComponentType<{ href: string; className?: string; onClick?: () => void; children?: ReactNode }>
  /** Follows a notification's link, such as router.push. Default: the browser does. */
  onOpen?: (href: string, item: Item) => void
  className?: string
}

/** A bell with the number of unread notifications; it opens the last ones. Escape, or a click elsewhere, closes them. */
export function NotificationBell({
  centerHref = '/notifications',
  count = 5,
  link: Link,
  onOpen,
  className = '',
}: NotificationBellProps) {
  const { texts } = useRealtime()
  const { items, unread, loading, failed, markRead, markAllRead, reload } = useNotifications()
  const [open, setOpen] = useState(false)
  const panel = useRef<HTMLDivElement>(null)
  const panelId = useId()
  const close = () => setOpen(false)
  const { root, button } = useDismiss(open, close)

  useEffect(() => {
    if (open) panel.current?.focus()
  }, [open])

  const center = { href: centerHref, className: 'cpr-link', onClick: close, children: texts.seeAll }
  return (
    <div className={`cpr cpr-bell ${className}`} ref={root}>
      <button
        ref={button}
        type="button"
        className="cpr-button cpr-button--icon cpr-bell-button"
        aria-expanded={open}
        aria-controls={open ? panelId : undefined}
        aria-label={texts.bell(unread)}
        onClick={() => setOpen(!open)}
      >
        <Bell aria-hidden size={20} />
        {unread > 0 && (
          <span className="cpr-badge" aria-hidden>
            {unread > 99 ? '99+' : unread}
          </span>
        )}
      </button>
      <Announcer />
      {open && (
        <div className="cpr-panel" id={panelId} ref={panel} role="dialog" aria-label={texts.latest} tabIndex={-1}>
          <div className="cpr-panel-head">
            <strong>{texts.notifications}</strong>
            <MarkAllRead unread={unread} mark={markAllRead} next={panel} />
          </div>
          {failed && <LoadFailed onRetry={() => void reload()} />}
          {loading && <p className="cpr-empty">{texts.loading}</p>}
          {!loading && !failed && items.length === 0 && <p className="cpr-empty">{texts.none}</p>}
          {items.length > 0 && (
            <ul className="cpr-list">
              {items.slice(0, count).map((item) => (
                <Row key={item.id} item={item} onRead={() => void markRead(item.id)} onOpen={onOpen && openAnd(onOpen, close)} />
              ))}
            </ul>
          )}
          <div className="cpr-panel-foot">{Link ? <Link {...center} /> : <a {...center} />}</div>
        </div>
      )}
    </div>
  )
}

const openAnd = (onOpen: (href: string, item: Item) => void, then: () => void) => (href: string, item: Item) => {
  then()
  onOpen(href, item)
}

/** Says new notifications to those who do not see the number change. */
function Announcer() {
  const { texts } = useRealtime()
  const inbox = useInbox()
  const [message, setMessage] = useState('')
  useEffect(() => inbox.onNew((item) => setMessage(texts.arrived(item.message))), [inbox, texts])
  return (
    <span className="cpr-hidden" role="status">
      {message}
    </span>
  )
}
