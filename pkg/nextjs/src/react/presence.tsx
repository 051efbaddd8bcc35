'use client'

import { useEffect, useId, useMemo, useState } from 'react'

import type { PresenceStatus } from '../contract.js'

import { useDismiss } from './dismiss.js'
import { useConnectionState, useRealtime } from './realtime.js'

/** Somebody of the tenant who is here. */
export interface Present {
  userId: string
  name: string
  status: PresenceStatus
  since: string
  /** The signed-in user. */
  isMe: boolean
}

/** Who of the tenant is here, the signed-in user first, then by name. */
export function usePresence(): Present[] {
  const { nameOf, locale } = useRealtime()
  const users = useConnectionState((s) => s.users)
  const me = useConnectionState((s) => s.user?.userId)
  return useMemo(() => {
    const present = Object.values(users).map(({ userId, status, since }) => ({
      userId,
      name: nameOf(userId),
      status,
      since,
      isMe: userId === me,
    }))
    return present.sort((a, b) => Number(b.isMe) - Number(a.isMe) || a.name.localeCompare(b.name, locale))
  }, [users, nameOf, me, locale])
}

/** Says to the others that the user is away, as long as away is true; online again when it is not. */
export function useAway(away: boolean): void {
  const { connection } = useRealtime()
  useEffect(
    () => (away ? connection.announce(['presence:update', 'away'], ['presence:update', 'online']) : undefined),
    [connection, away],
  )
}

export interface PresenceIndicatorProps {
  /** Away by itself when the page has been hidden for so many minutes. Default: never; a user with several tabs is away when one of them says so. */
  awayAfter?: number
  className?: string
}

/** Whether this page is connected, and how many are here; who they are opens below. */
export function PresenceIndicator({ awayAfter, className = '' }: PresenceIndicatorProps) {
  const { texts } = useRealtime()
  const status = useConnectionState((s) => s.status)
  const present = usePresence()
  const [open, setOpen] = useState(false)
  const [away, setAway] = useState(false)
  const hidden = useHidden(awayAfter)
  const id = useId()
  const { root, button } = useDismiss(open, () => setOpen(false))
  useAway(away || hidden)

  const connected = status === 'connected'
  // The server tells everybody but this page that its user is away.
  const seen = (status: PresenceStatus, isMe: boolean) => (isMe && (away || hidden) ? 'away' : status)
  return (
    <div className={`cpr cpr-presence ${className}`} ref={root}>
      <button
        ref={button}
        type="button"
        className="cpr-button"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
      >
        <span className="cpr-status" data-status={connected ? 'online' : 'off'} aria-hidden />
        {connected ? texts.online(present.length) : texts.connection[status]}
      </button>
      <span className="cpr-hidden" role="status">
        {status === 'reconnecting' || status === 'refused' ? texts.connection[status] : ''}
      </span>
      {open && (
        <div className="cpr-panel cpr-panel--narrow" id={id}>
          <ul className="cpr-people" aria-label={texts.here}>
            {present.map(({ userId, name, status, isMe }) => (
              <li key={userId}>
                <span className="cpr-status" data-status={seen(status, isMe)} aria-hidden />
                {name}
                {isMe && ` (${texts.you})`}
                {seen(status, isMe) === 'away' && <span className="cpr-hint"> {texts.away}</span>}
              </li>
            ))}
          </ul>
          <button type="button" className="cpr-button" aria-pressed={away} onClick={() => setAway(!away)}>
            {away ? texts.beHere : texts.beAway}
          </button>
        </div>
      )}
    </div>
  )
}

/** Whether the page has been hidden for so many minutes. */
function useHidden(minutes: number | undefined): boolean {
  const [hidden, setHidden] = useState(false)
  useEffect(() => {
    if (minutes === undefined) return
    let timer: ReturnType<typeof setTimeout> | undefined
    const changed = () => {
      clearTimeout(timer)
      if (document.hidden) timer = setTimeout(() => setHidden(true), minutes * 60_000)
      else setHidden(false)
    }
    changed()
    document.addEventListener('visibilitychange', changed)
    return () => {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', changed)
    }
  }, [minutes])
  return hidden
}
