'use client'

import { Check, Trash2 } from 'lucide-react'

import { TypeIcon } from './icons.js'
import { hrefOf, text, type Item } from './item.js'
import { useRealtime } from './realtime.js'
import { Ago } from './time.js'

export interface RowProps {
  item: Item
  onRead: () => void
  onRemove?: () => void
  onOpen?: (href: string, item: Item) => void
}

/** One notification in the bell's panel or the center. */
export function Row({ item, onRead, onRemove, onOpen }: RowProps) {
  const { texts } = useRealtime()
  const href = hrefOf(item)
  const unread = item.readAt === null
  const description = text(item.data, 'description')
  return (
    <li className="cpr-row" tabIndex={-1} data-unread={unread || undefined} data-priority={item.priority}>
      <TypeIcon type={item.type} />
      <div className="cpr-row-body">
        <p className="cpr-row-type">
          {texts.types[item.type] ?? texts.otherType}
          {unread && <span className="cpr-dot">{texts.unread}</span>}
        </p>
        <p className="cpr-row-message">
          {href ? (
            <a
              href={href}
              onClick={(event) => {
                if (unread) onRead()
                if (!onOpen || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return
                event.preventDefault()
                onOpen(href, item)
              }}
            >
              {item.message}
            </a>
          ) : (
            item.message
          )}
        </p>
        {description && <p className="cpr-row-description">{description}</p>}
        <Ago time={item.createdAt} />
      </div>
      <div className="cpr-row-actions">
        {unread && (
          <button
            type="button"
            className="cpr-button cpr-button--icon"
            aria-label={`${texts.markRead}: ${item.message}`}
            title={texts.markRead}
            onClick={(event) => {
              event.currentTarget.closest('li')?.focus() // the button goes away, and the focus would with it
              onRead()
            }}
          >
            <Check aria-hidden size={16} />
          </button>
        )}
        {onRemove && (
          <button
            type="button"
            className="cpr-button cpr-button--icon"
            aria-label={`${texts.remove}: ${item.message}`}
            title={texts.remove}
            onClick={onRemove}
          >
            <Trash2 aria-hidden size={16} />
          </button>
        )}
      </div>
    </li>
  )
}
