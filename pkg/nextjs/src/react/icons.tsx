'use client'

import {
  AlarmClock,
  Banknote,
  Bell,
  CalendarClock,
  CalendarPlus,
  CalendarX,
  CalendarSync,
  Clock,
  TriangleAlert,
  type LucideIcon,
} from 'lucide-react'

const icons: Record<string, LucideIcon> = {
  'appointment:created': CalendarPlus,
  'appointment:updated': CalendarSync,
  'appointment:deleted': CalendarX,
  'appointment:cancelled': CalendarX,
  'appointment:rescheduled': CalendarClock,
  'appointment:reminder': AlarmClock,
  'schedule:updated': Clock,
  'schedule:conflict': TriangleAlert,
  'system:alert': TriangleAlert,
  'commission:earned': Banknote,
  'payment:received': Banknote,
}

/** The icon of a notification type; a bell for those that are not known. The text beside it says the same. */
export function TypeIcon({ type }: { type: string }) {
  const Icon = icons[type] ?? Bell
  return <Icon className="cpr-icon" aria-hidden size={20} />
}
