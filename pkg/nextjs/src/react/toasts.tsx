'use client'

import { useEffect } from 'react'
import { toast, Toaster, type ToasterProps, type ToastT } from 'sonner'

import type { Priority } from '../contract.js'

import { TypeIcon } from './icons.js'
import { hrefOf, text, type Item } from './item.js'
import { useLatest } from './latest.js'
import { useInbox } from './use-notifications.js'
import { useRealtime } from './realtime.js'
import { playSound } from './sounds.js'
import type { Texts } from './texts.js'

/** The toaster of the package: an app that has one of its own keeps it, and neither shows the other's toasts. */
export const toasterId = 'citaplanner-realtime'

type Payload = Record<string, any>

/** What tenant-wide and raw events say. Their payloads may come from anybody with the key: nothing in them is taken for granted. */
const said: Record<string, (texts: Texts['eventTexts'], payload: Payload) => string> = {
  'appointment:created': (t, p) => t.created(p.appointment?.clientName ?? '', p.appointment?.serviceName ?? ''),
  'appointment:updated': (t, p) => t.updated(p.appointment?.clientName ?? ''),
  'appointment:deleted': (t, p) => t.deleted(p.appointmentData?.clientName ?? ''),
  'appointment:rescheduled': (t, p) => t.rescheduled(p.appointment?.clientName ?? ''),
  'schedule:updated': (t, p) => t.schedule(p.professionalName ?? ''),
  'commission:earned': (t, p) => [t.commission, p.amount].filter((x) => x !== undefined).join(': '),
  'payment:received': (t, p) => [t.payment, p.amount].filter((x) => x !== undefined).join(': '),
}

/** Events that can be shown as toasts beside the user's own notifications. */
export type ToastEvent =
  | 'appointment:created'
  | 'appointment:updated'
  | 'appointment:deleted'
  | 'appointment:rescheduled'
  | 'schedule:updated'
  | 'commission:earned'
  | 'payment:received'

export interface ToastsProps {
  /**
   * Events shown beside the user's own notifications. Default: those that come as events alone, commission:earned and
   * payment:received. An event and the notification about it are one toast.
   */
  events?: readonly ToastEvent[]
  /** Follows a notification's link, such as router.push. Default: location.assign. */
  onOpen?: (href: string, item?: Item) => void
  /** false is silent, whatever the user prefers. */
  sounds?: boolean
  /** false renders no toaster: an own <Toaster id={toasterId}/> of sonner shows the toasts. */
  toaster?: boolean | ToasterProps
}

const rawEvents: readonly ToastEvent[] = ['commission:earned', 'payment:received']

/** Toasts, sounds and browser notifications for what comes in, as the user's preferences say. NotificationProvider renders it. */
export function NotificationToasts({ events = rawEvents, onOpen, sounds = true, toaster = true }: ToastsProps) {
  const inbox = useInbox()
  const { connection, texts } = useRealtime()
  const open = useLatest(onOpen ?? ((href: string) => window.location.assign(href)))
  const shown = useLatest(texts)
  const audible = useLatest(sounds)
  const key = events.join()
  const most = Math.max(mostToasts, toaster === true || toaster === false ? 0 : (toaster.visibleToasts ?? 0))

  useEffect(() => {
    const crowd = new Crowd(most)
    const show = (id: string, type: string, message: string, priority: Priority, description: string, item?: Item) => {
      const wants = inbox.store.getState().preferences
      const href = item && hrefOf(item)
      if (wants?.enableToastNotifications !== false) {
        crowd.show(id, priority === 'urgent', () =>
          toast(message, {
            id,
            toasterId,
            description: description || undefined,
            icon: <TypeIcon type={type} />,
            duration: priority === 'urgent' ? 20_000 : 8000,
            className: `cpr-toast cpr-toast--${priority}`,
            action: href ? { label: shown.current.open, onClick: () => open.current(href, item) } : undefined,
            cancel: item ? { label: shown.current.markRead, onClick: () => void inbox.markRead(item.id) } : undefined,
          }),
        )
      }
      if (wants?.enableSounds && audible.current) playSound(priority)
      if (wants?.enableDesktopNotifications) notifyBrowser(id, message, description)
    }
    const offs = [
      inbox.onNew((item) =>
        show(
          toastId(item.type, item.data, item.id),
          item.type,
          item.message,
          item.priority,
          text(item.data, 'description'),
          item,
        ),
      ),
      ...key
        .split(',')
        .filter((event) => said[event])
        .map((event) =>
          connection.on(event, (sent?: Payload | null) => {
            const payload = sent ?? {}
            const about: Payload = payload.appointment ?? payload.appointmentData ?? payload
            show(
              toastId(event, about, ''),
              event,
              said[event]!(shown.current.eventTexts, payload),
              'medium',
              text(payload, 'description'),
            )
          }),
        ),
    ]
    return () => {
      offs.forEach((off) => off())
      crowd.end()
    }
  }, [inbox, connection, key, most, shown, open, audible])

  if (!toaster) return null
  const props = toaster === true ? {} : toaster
  return (
    <Toaster
      theme="system"
      position="bottom-right"
      closeButton
      containerAriaLabel={texts.notifications}
      {...props}
      id={toasterId}
    />
  )
}

const mostToasts = 5
const moment = 250 // milliseconds

/**
 * Bounds the toasts of a burst: sonner lays all of them out anew for each, and a hundred hold the page up for seconds. Urgent ones stay,
 * then the newest, which are on top; the rest is in the bell.
 */
class Crowd {
  #made = 0 // within the last moment
  #waiting = new Map<string, { urgent: boolean; make: () => void }>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(readonly most: number) {}

  show(id: string, urgent: boolean, make: () => void): void {
    this.#timer ??= setTimeout(() => this.#next(), moment)
    if (this.#made < this.most) return this.#make(make)
    this.#waiting.delete(id)
    this.#waiting.set(id, { urgent, make })
    if (this.#waiting.size <= this.most) return
    const ids = [...this.#waiting.keys()]
    this.#waiting.delete(ids.find((one) => !this.#waiting.get(one)!.urgent) ?? ids[0]!)
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  #next(): void {
    const waiting = [...this.#waiting.values()]
    this.#made = 0
    this.#waiting.clear()
    this.#timer = waiting.length ? setTimeout(() => this.#next(), moment) : undefined
    waiting.forEach(({ make }) => this.#make(make))
  }

  #make(make: () => void): void {
    this.#made++
    make()
    const there = toast.getToasts().filter((t): t is ToastT => 'toasterId' in t && t.toasterId === toasterId)
    // The oldest first; those that stay longest, the urgent ones among them, last.
    const going = [...there].sort((a, b) => (a.duration ?? Infinity) - (b.duration ?? Infinity))
    for (const { id } of going.slice(0, Math.max(0, there.length - this.most))) toast.dismiss(id)
  }
}

let others = 0

/** One id for an event and the notification about it: the later one takes the place of the other. */
function toastId(type: string, about: Payload, id: string): string {
  const appointment = about.appointmentId ?? about.id
  return appointment ? `${type}:${appointment}` : id || `${type}#${++others}`
}

/** While nobody looks at the page, where the user has allowed it. The tag makes it one for all tabs. */
function notifyBrowser(tag: string, title: string, body: string): void {
  if (!document.hidden || typeof window.Notification === 'undefined' || window.Notification.permission !== 'granted') return
  try {
    new window.Notification(title, { tag, body }).onclick = () => window.focus()
  } catch {
    // Chrome on Android knows them from service workers alone.
  }
}
