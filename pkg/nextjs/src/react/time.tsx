'use client'

import { format, formatDistanceToNow, isToday } from 'date-fns'
import { enUS } from 'date-fns/locale/en-US'
import { es } from 'date-fns/locale/es'
import { useEffect, useState } from 'react'

import { useRealtime } from './realtime.js'
import type { Locale } from './texts.js'

const locales = { es, en: enUS }

/** How long ago, with the exact time as title. Only for what comes after the first render: a server's clock and zone are others. */
export function Ago({ time }: { time: string }) {
  const { locale } = useRealtime()
  const [, tick] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 60_000)
    return () => clearInterval(timer)
  }, [])
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) return null
  return (
    <time className="cpr-time" dateTime={time} title={format(date, 'PPPp', { locale: locales[locale] })}>
      {formatDistanceToNow(date, { addSuffix: true, locale: locales[locale] })}
    </time>
  )
}

/** The time of day, with the day where it is not today; '' for what is no time. */
export function clockTime(time: string | undefined, locale: Locale): string {
  const date = new Date(time ?? NaN)
  if (Number.isNaN(date.getTime())) return ''
  return format(date, isToday(date) ? 'p' : 'P p', { locale: locales[locale] })
}
