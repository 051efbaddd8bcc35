'use client'

import { X } from 'lucide-react'
import { useEffect, useId, useState, type FormEvent, type ReactNode } from 'react'

import type { Preferences } from '../contract.js'

import { useRealtime } from './realtime.js'
import type { Texts } from './texts.js'
import { useInbox, useInboxState } from './use-notifications.js'

type Switch = keyof Texts['switches']

const channels: Switch[] = [
  'enablePushNotifications',
  'enableEmailNotifications',
  'enableSMSNotifications',
  'enableWhatsAppNotifications',
]
const events: Switch[] = [
  'notifyAppointmentCreated',
  'notifyAppointmentUpdated',
  'notifyAppointmentCancelled',
  'notifyAppointmentReminder',
  'notifyScheduleChanges',
  'notifySystemAlerts',
]
const manner: Switch[] = ['enableToastNotifications', 'enableSounds', 'enableDesktopNotifications']

// Bounds of reminderMinutesBefore, as the server has them.
const mostReminders = 10
const mostMinutes = 43_200

export interface NotificationPreferencesProps {
  /** Level of the heading. Default: 1. */
  level?: 1 | 2 | 3
  className?: string
}

/** What the user wants to be told of, and how. Each change is saved at once, and taken back where the server refuses it. */
export function NotificationPreferences({ level = 1, className = '' }: NotificationPreferencesProps) {
  const { texts } = useRealtime()
  const inbox = useInbox()
  const row = useInboxState((s) => s.preferences)
  const failed = useInboxState((s) => s.preferencesFailed)
  const [state, setState] = useState('')
  const headingId = useId()
  const Heading = `h${level}` as 'h1' | 'h2' | 'h3'

  async function save(changes: Partial<Preferences>): Promise<void> {
    setState('')
    setState((await inbox.savePreferences(changes)) ? texts.saved : texts.saveFailed)
  }
  const group = (legend: string, names: Switch[], more?: ReactNode) =>
    row && (
      <fieldset className="cpr-fieldset">
        <legend>{legend}</legend>
        {names.map((name) => (
          <label key={name} className="cpr-switch">
            <input type="checkbox" role="switch" checked={row[name]} onChange={(e) => void save({ [name]: e.target.checked })} />
            {texts.switches[name]}
          </label>
        ))}
        {more}
      </fieldset>
    )

  return (
    <section className={`cpr cpr-preferences ${className}`} aria-labelledby={headingId}>
      <Heading id={headingId}>{texts.preferences}</Heading>
      {!row && !failed && <p className="cpr-empty">{texts.loading}</p>}
      {!row && failed && (
        <div className="cpr-failed" role="alert">
          <span>{texts.preferencesFailed}</span>
          <button type="button" className="cpr-button" onClick={() => void inbox.loadPreferences()}>
            {texts.retry}
          </button>
        </div>
      )}
      {group(texts.channels, channels)}
      {group(texts.events, events)}
      {group(texts.manner, manner, row?.enableDesktopNotifications && <BrowserPermission />)}
      {row && (
        <Reminders
          minutes={row.reminderMinutesBefore}
          onChange={(reminderMinutesBefore) => void save({ reminderMinutesBefore })}
        />
      )}
      <p className="cpr-saved" role="status">
        {state}
      </p>
    </section>
  )
}

/** The browser has to allow its notifications, too, and asks only after a click. */
function BrowserPermission() {
  const { texts } = useRealtime()
  const [permission, setPermission] = useState<NotificationPermission | 'unknown'>('unknown')
  useEffect(() => {
    if (typeof window.Notification !== 'undefined') setPermission(window.Notification.permission)
  }, [])
  if (permission === 'denied') return <p className="cpr-hint">{texts.browserDenied}</p>
  if (permission !== 'default') return null
  return (
    <button type="button" className="cpr-button" onClick={() => void window.Notification.requestPermission().then(setPermission)}>
      {texts.browserAllow}
    </button>
  )
}

function Reminders({ minutes, onChange }: { minutes: readonly number[]; onChange: (minutes: number[]) => void }) {
  const { texts } = useRealtime()
  const [entry, setEntry] = useState('')
  const sorted = [...minutes].sort((a, b) => b - a)
  const full = minutes.length >= mostReminders

  function add(event: FormEvent): void {
    event.preventDefault()
    const wanted = Number(entry)
    if (!Number.isInteger(wanted) || wanted < 1 || wanted > mostMinutes) return
    setEntry('')
    if (!minutes.includes(wanted)) onChange([...minutes, wanted])
  }

  return (
    <fieldset className="cpr-fieldset">
      <legend>{texts.reminders}</legend>
      <ul className="cpr-chips">
        {sorted.map((m) => (
          <li key={m} className="cpr-chip">
            {texts.minutesBefore(m)}
            <button
              type="button"
              className="cpr-button cpr-button--icon"
              aria-label={`${texts.remove}: ${texts.minutesBefore(m)}`}
              onClick={() => onChange(minutes.filter((other) => other !== m))}
            >
              <X aria-hidden size={14} />
            </button>
          </li>
        ))}
      </ul>
      <form className="cpr-add" onSubmit={add}>
        <label>
          {texts.reminderMinutes}
          <input
            type="number"
            min={1}
            max={mostMinutes}
            step={1}
            required
            value={entry}
            disabled={full}
            onChange={(e) => setEntry(e.target.value)}
          />
        </label>
        <button type="submit" className="cpr-button" disabled={full}>
          {texts.addReminder}
        </button>
      </form>
      {full && <p className="cpr-hint">{texts.tooManyReminders}</p>}
    </fieldset>
  )
}
