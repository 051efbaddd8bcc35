'use client'

// Names one by one: Next.js takes no `export *` at the border to client components.
export { NotificationBell, type NotificationBellProps } from './bell.js'
export { calendarEvents, useCalendar, useCalendarRefetch, type UseCalendar, type UseCalendarOptions } from './calendar.js'
export { NotificationCenter, type NotificationCenterProps } from './center.js'
export type { Colleagues } from './colleagues.js'
export {
  connectionTo,
  type Connection,
  type ConnectionOptions,
  type ConnectionState,
  type ConnectionStatus,
} from './connection.js'
export { EditingGuard, useEditing, useEditors, type EditingGuardProps, type Editor } from './editing.js'
export type { Filter, Item } from './item.js'
export { NotificationProvider, type NotificationProviderProps } from './notifications.js'
export { NotificationPreferences, type NotificationPreferencesProps } from './preferences.js'
export { PresenceIndicator, useAway, usePresence, type PresenceIndicatorProps, type Present } from './presence.js'
export {
  RealtimeProvider,
  useConnectionState,
  useRealtimeEvent,
  useSocket,
  type RealtimeProviderProps,
  type SessionState,
  type UseSocket,
} from './realtime.js'
export { playSound } from './sounds.js'
export type { Locale, Texts } from './texts.js'
export { NotificationToasts, toasterId, type ToastEvent, type ToastsProps } from './toasts.js'
export { useNotifications, type UseNotifications } from './use-notifications.js'
