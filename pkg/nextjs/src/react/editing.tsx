'use client'

import { useEffect, useMemo, type ReactNode } from 'react'

import { useConnectionState, useRealtime } from './realtime.js'
import { clockTime } from './time.js'

/** Somebody else who edits the same appointment. */
export interface Editor {
  userId: string
  name: string
  /** When it began, where the server said it. */
  since?: string
}

const none: readonly { userId: string; since?: string }[] = []

/**
 * Tells the others that this page edits an appointment, for as long as the component is there and the id is no null, and returns
 * who else does. It is said again after each reconnect; a page that is closed has stopped.
 */
export function useEditing(appointmentId: string | null | undefined): Editor[] {
  const { connection, nameOf } = useRealtime()
  const me = useConnectionState((s) => s.user?.userId)
  const editors = useConnectionState((s) => (appointmentId ? s.editing[appointmentId] : undefined) ?? none)
  useEffect(
    () =>
      appointmentId
        ? connection.announce(['appointment:editing', appointmentId], ['appointment:editing:stop', appointmentId])
        : undefined,
    [connection, appointmentId],
  )
  // The user's own second tab is told of, too.
  return useMemo(
    () => editors.filter((e) => e.userId !== me).map((e) => ({ ...e, name: nameOf(e.userId) })),
    [editors, me, nameOf],
  )
}

/** Who edits which appointment, by its id: for a calendar's marks. The signed-in user is left out. */
export function useEditors(): Readonly<Record<string, Editor[]>> {
  const { nameOf } = useRealtime()
  const me = useConnectionState((s) => s.user?.userId)
  const editing = useConnectionState((s) => s.editing)
  return useMemo(() => {
    const others = Object.entries(editing).map(([id, editors]): [string, Editor[]] => [
      id,
      editors.filter((e) => e.userId !== me).map((e) => ({ ...e, name: nameOf(e.userId) })),
    ])
    return Object.fromEntries(others.filter(([, editors]) => editors.length > 0))
  }, [editing, me, nameOf])
}

export interface EditingGuardProps {
  appointmentId: string | null | undefined
  /** Disables the form below while somebody else edits the appointment. Default: false: it warns only. */
  block?: boolean
  children?: ReactNode
  className?: string
}

/** Put it around an appointment's form: it says who else edits the appointment, and tells the others that this page does. */
export function EditingGuard({ appointmentId, block = false, children, className = '' }: EditingGuardProps) {
  const { texts, locale } = useRealtime()
  const editors = useEditing(appointmentId)
  const busy = editors.length > 0
  const names = new Intl.ListFormat(locale).format(editors.map((e) => e.name))
  const message =
    busy && texts.isEditing(names, editors.length > 1, editors.length === 1 ? clockTime(editors[0]?.since, locale) : '')
  return (
    <div className={`cpr cpr-guard ${className}`}>
      <div role="status">
        {busy && (
          <p className="cpr-warning">
            {message} {texts.editingHint}
          </p>
        )}
      </div>
      {block ? (
        <fieldset className="cpr-plain" disabled={busy}>
          {children}
        </fieldset>
      ) : (
        children
      )}
    </div>
  )
}
