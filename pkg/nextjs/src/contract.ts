// Code generated from pkg/contract by `make types`. DO NOT EDIT.

/** A time: ISO 8601 in UTC, always with three decimals and Z, as Date.prototype.toISOString writes it. */
export type Timestamp = string

/** Priority of a notification. */
export type Priority = (typeof priorities)[number]

/** Every Priority. */
export const priorities = [
  'low',
  'medium',
  'high',
  'urgent',
] as const

/** Severity of a system alert. */
export type Severity = (typeof severities)[number]

/** Every Severity. */
export const severities = [
  'info',
  'warning',
  'error',
] as const

/** PresenceStatus is what a user says of himself or herself. */
export type PresenceStatus = (typeof presenceStatuses)[number]

/** Every PresenceStatus. */
export const presenceStatuses = [
  'online',
  'away',
] as const

/** Role is a label of the app's "UserRole" type. */
export type Role = (typeof roles)[number]

/** Every Role. */
export const roles = [
  'SUPERADMIN',
  'ADMIN',
  'MANAGER',
  'PROFESSIONAL',
  'RECEPTIONIST',
  'CLIENT',
] as const

/** ErrorCode names a kind of failure. The HTTP edge maps it to a status, the socket edge to a text. */
export type ErrorCode = (typeof errorCodes)[number]

/** Every ErrorCode. */
export const errorCodes = [
  /** the input is wrong; the message says what */
  'INVALID',
  /** no credential */
  'AUTH_REQUIRED',
  /** a credential that is not ours, broken or forged */
  'INVALID_TOKEN',
  /** a credential that was good once */
  'TOKEN_EXPIRED',
  /** unknown or inactive user, or inactive tenant */
  'USER_INACTIVE',
  /** the check of a credential itself broke: trying again helps */
  'AUTH_UNAVAILABLE',
  /** a part we need does not answer; trying again helps */
  'UNAVAILABLE',
  /** signed in, not allowed */
  'FORBIDDEN',
  /** no such thing in this tenant */
  'NOT_FOUND',
  /** the state does not allow it */
  'CONFLICT',
  /** an idempotency key with another body */
  'KEY_REUSED',
  /** the body is over its limit */
  'TOO_LARGE',
  /** too often; retryAfter, or the Retry-After header, says when */
  'RATE_LIMITED',
  /** the route does not take that method */
  'METHOD_NOT_ALLOWED',
  /** the body is not JSON */
  'UNSUPPORTED_MEDIA_TYPE',
  /** our fault */
  'INTERNAL',
] as const

/**
 * Notification is the payload of notification:new. `type` is the name of the event that it is about, or the caller's own;
 * `data` is what belongs to it: of an appointment's event, the members of Appointment. `replayed` is there, and true, where the
 * user was away when it was stored.
 */
export interface Notification {
  id: string
  type: string
  message: string
  data: Record<string, unknown> | null
  userId: string
  tenantId: string
  createdAt: Timestamp
  priority: Priority
  replayed?: boolean
}

/**
 * Appointment is the appointment member of the appointment:* events. It holds both shapes that components read, and no
 * personal data of the client beyond the name.
 */
export interface Appointment {
  id: string
  /** the same as id */
  appointmentId: string
  clientName: string
  serviceName: string
  professionalName: string
  branchName: string
  startTime: Timestamp
  endTime: Timestamp
  status: string
  /** the appointment's own notes, never the client's */
  notes: string | null
  userId: string
  clientId: string
  serviceId: string
  branchId: string
  tenantId: string
  isOnline: boolean
  createdAt: Timestamp
  updatedAt: Timestamp
  /** Only in appointment:rescheduled. */
  oldStartTime?: Timestamp
  oldEndTime?: Timestamp
  newStartTime?: Timestamp
  newEndTime?: Timestamp
}

/** Professional is the professional member of the appointment:* events. */
export interface Professional {
  id: string
  name: string
  firstName: string
  lastName: string
}

/** Service is the service member of the appointment:* events. `duration` is in minutes. */
export interface Service {
  id: string
  name: string
  duration: number
  color: string
}

/** AppointmentCreated is the payload of appointment:created. */
export interface AppointmentCreated {
  appointment: Appointment
  professional: Professional
  service: Service
  createdBy: string | null
  timestamp: Timestamp
}

/** AppointmentUpdated is the payload of appointment:updated. `changes` is what the caller sent, {} where nothing. */
export interface AppointmentUpdated {
  appointment: Appointment
  professional: Professional
  service: Service
  updatedBy: string | null
  changes: Record<string, unknown>
  timestamp: Timestamp
}

/** AppointmentDeleted is the payload of appointment:deleted. `appointmentData` is never null: a component throws on it. */
export interface AppointmentDeleted {
  appointmentId: string
  appointmentData: Record<string, unknown>
  deletedBy: string | null
  timestamp: Timestamp
}

/** Interval is a time span of an appointment. */
export interface Interval {
  start: Timestamp
  end: Timestamp
}

/** AppointmentRescheduled is the payload of appointment:rescheduled. */
export interface AppointmentRescheduled {
  appointment: Appointment
  professional: Professional
  service: Service
  oldTime: Interval
  newTime: Interval
  rescheduledBy: string | null
  timestamp: Timestamp
}

/** AppointmentReminder is the payload of appointment:reminder. */
export interface AppointmentReminder {
  appointment: Appointment
  minutesBefore: number
  timestamp: Timestamp
}

/** ScheduleUpdated is the payload of schedule:updated. */
export interface ScheduleUpdated {
  professionalId: string
  professionalName: string
  schedule: unknown
  updatedBy: string | null
  timestamp: Timestamp
}

/** ScheduleConflict is the payload of schedule:conflict. */
export interface ScheduleConflict {
  professionalId: string
  conflict: unknown
  timestamp: Timestamp
}

/** CalendarRefresh is the payload of calendar:refresh. `affectedDates` is never null. */
export interface CalendarRefresh {
  reason: string
  affectedDates: string[]
  timestamp: Timestamp
}

/** SystemAlert is the payload of system:alert. `data` always holds severity. */
export interface SystemAlert {
  id: string
  /** system:alert */
  type: string
  message: string
  severity: Severity
  data: Record<string, unknown>
  tenantId: string
  createdAt: Timestamp
  priority: Priority
}

/** ConnectionSuccess is the payload of connection:success. */
export interface ConnectionSuccess {
  userId: string
  tenantId: string
  role: Role
  timestamp: Timestamp
}

/** UserOnline is the payload of user:online. */
export interface UserOnline {
  userId: string
  email: string
  timestamp: Timestamp
}

/** UserOffline is the payload of user:offline. */
export interface UserOffline {
  userId: string
  timestamp: Timestamp
}

/** UserPresence is the payload of user:presence. */
export interface UserPresence {
  userId: string
  status: PresenceStatus
  timestamp: Timestamp
}

/** PresenceState is the payload of presence:state. */
export interface PresenceState {
  users: PresentUser[]
}

/** PresentUser is one entry of PresenceState. `since` is when the user came, or took this status. */
export interface PresentUser {
  userId: string
  status: PresenceStatus
  since: Timestamp
}

/** UserViewingCalendar is the payload of user:viewing:calendar. */
export interface UserViewingCalendar {
  userId: string
  date: string
  viewType: string
}

/** Editing is the payload of appointment:editing:started and appointment:editing:stopped. */
export interface Editing {
  userId: string
  appointmentId: string
}

/** EditingConflict is the payload of appointment:editing:conflict. `since` is when `userId` began to edit. */
export interface EditingConflict {
  appointmentId: string
  userId: string
  since: Timestamp
}

/** AuthExpiring is the payload of auth:expiring. */
export interface AuthExpiring {
  expiresAt: Timestamp
}

/**
 * NotificationRead is the payload of notification:read:success and notification:deleted, and what a client may send with
 * notification:read in place of the bare id.
 */
export interface NotificationRead {
  notificationId: string
}

/**
 * NotificationReadError is the payload of notification:read:error. `code` and `retryAfter`, in milliseconds, are there where
 * the sender came too often.
 */
export interface NotificationReadError {
  notificationId: string
  error: string
  code?: ErrorCode
  retryAfter?: number
}

/** NotificationReadAll is the payload of notification:read:all:success. */
export interface NotificationReadAll {
  count: number
}

/**
 * NotificationReadAllError is the payload of notification:read:all:error. `code` and `retryAfter` are those of
 * NotificationReadError.
 */
export interface NotificationReadAllError {
  error: string
  code?: ErrorCode
  retryAfter?: number
}

/** CalendarViewing is what a client sends with calendar:viewing: the day shown (yyyy-MM-dd) and how, such as week. */
export interface CalendarViewing {
  date: string
  viewType: string
}

/** AppointmentEditing is what a client may send with appointment:editing and appointment:editing:stop in place of the bare id. */
export interface AppointmentEditing {
  appointmentId: string
}

/** PresenceUpdate is what a client may send with presence:update in place of the bare status. */
export interface PresenceUpdate {
  status: PresenceStatus
}

/**
 * Ack is what the acknowledgement callback of a client's event gets. Where `success` is false, `error` says why, in Spanish;
 * `code` and `retryAfter`, in milliseconds, are there where the sender came too often.
 */
export interface Ack {
  success: boolean
  error?: string
  code?: ErrorCode
  retryAfter?: number
}

/** NotificationReadAck is the acknowledgement of notification:read. */
export interface NotificationReadAck extends Ack {
  notificationId?: string
}

/** NotificationReadAllAck is the acknowledgement of notification:read:all. `count` is there where it succeeded. */
export interface NotificationReadAllAck extends Ack {
  count?: number
}

/**
 * ConnectErrorData is connect_error.data of a socket that was refused: why, for programs, and, where trying again later
 * helps and the time is known, when, in milliseconds.
 */
export interface ConnectErrorData {
  code: ErrorCode
  retryAfter?: number
}

/** AppointmentCreatedRequest says that an appointment was made. `actorId` is the user who did it. */
export interface AppointmentCreatedRequest {
  appointmentId: string
  tenantId: string
  actorId?: string
}

/**
 * AppointmentUpdatedRequest says that an appointment was changed. A professional who is the actor is not notified.
 * `changes` goes out to the tenant without what is personal in it.
 */
export interface AppointmentUpdatedRequest {
  appointmentId: string
  tenantId: string
  actorId?: string
  changes?: object | null
}

/**
 * AppointmentDeletedRequest says that an appointment was cancelled. Its row is gone by then, so the data comes with the
 * call: id (or `appointmentId`), clientName, and professionalId or userId, who is notified.
 */
export interface AppointmentDeletedRequest {
  appointmentId?: string
  tenantId: string
  actorId?: string
  appointmentData: object
}

/** AppointmentRescheduledRequest says that an appointment was moved; the new times are the row's. */
export interface AppointmentRescheduledRequest {
  appointmentId: string
  tenantId: string
  actorId?: string
  oldStartTime: Timestamp
  oldEndTime: Timestamp
}

/** AppointmentReminderRequest reminds of an appointment that begins in `minutesBefore` minutes, 0 to 43200. */
export interface AppointmentReminderRequest {
  appointmentId: string
  tenantId: string
  minutesBefore: number
}

/** ScheduleUpdatedRequest says that a professional's working hours changed. `schedule` is any JSON. */
export interface ScheduleUpdatedRequest {
  professionalId: string
  tenantId: string
  actorId?: string
  schedule?: unknown
}

/** ScheduleConflictRequest says that a professional's hours or appointments collide. `conflict` is any JSON but null. */
export interface ScheduleConflictRequest {
  professionalId: string
  tenantId: string
  conflict: unknown
}

/** CalendarRefreshRequest asks every calendar of a tenant to load anew. `affectedDates` are days such as 2026-01-31, or times. */
export interface CalendarRefreshRequest {
  tenantId: string
  reason: string
  affectedDates?: string[]
}

/** SystemAlertRequest alerts every active user of the tenant, or of one role of it. */
export interface SystemAlertRequest {
  tenantId: string
  message: string
  severity: Severity
  data?: object | null
  role?: Role
}

/**
 * NotificationRequest notifies one user, or every active user of the tenant where none is named. `priority` is medium where
 * none is given.
 */
export interface NotificationRequest {
  tenantId: string
  userId?: string
  type: string
  message: string
  data?: object | null
  priority?: Priority
}

/** EmitToTenantRequest sends an event to every socket of a tenant. `data` is any JSON. */
export interface EmitToTenantRequest {
  tenantId: string
  event: string
  data?: unknown
}

/** EmitToUserRequest sends an event to every socket of a user, who has to be of the tenant where one is named. */
export interface EmitToUserRequest {
  userId: string
  tenantId?: string
  event: string
  data?: unknown
}

/** EmitToRoleRequest sends an event to every socket of a role of a tenant. */
export interface EmitToRoleRequest {
  role: Role
  tenantId: string
  event: string
  data?: unknown
}

/** BatchRequest holds 1 to MaxBatch emits: each the body of an emit endpoint with its kind beside it. */
export interface BatchRequest {
  emits: BatchEntry[]
}

/** BatchAnswer answers a batch: one result for each entry, in their order. */
export interface BatchAnswer {
  success: boolean
  results: BatchResult[]
}

/**
 * BatchResult is one entry's answer: an emit's, or what a problem would have said. One that fails does not keep the
 * others back. `status` is the HTTP status that the entry alone would have got.
 */
export interface BatchResult extends Partial<EmitResult> {
  success: boolean
  status: number
  error?: string
  code?: ErrorCode
  field?: string
}

/** EmitResult is what an emit comes to, in Go. */
export interface EmitResult {
  id: string
  delivered: Delivered
  /** ids of the rows stored, never null */
  notifications: string[]
}

/** EmitAnswer is EmitResult as an emit endpoint answers it, with 202: what it stored is committed. */
export interface EmitAnswer extends EmitResult {
  success: boolean
}

/** Delivered counts the sockets that an emit was queued for on this node. */
export interface Delivered {
  sockets: number
}

/**
 * Problem is the body of every refusal, application/problem+json (RFC 9457). `error` repeats `detail` under the name that the
 * app's front end and routes read.
 */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  error: string
  code: ErrorCode
  /** the field that is wrong, where there is one */
  field?: string
}

/** SocketStats is what GET /api/socket/stats answers. */
export interface SocketStats {
  totalConnections: number
  tenants: Record<string, TenantStats>
}

/** TenantStats counts the sockets of a tenant and lists its users, each once, sorted. */
export interface TenantStats {
  users: string[]
  count: number
}

/** SocketStatus is what a plain GET /api/socket answers. `protocol` is the version of Socket.IO's, `engine` of the transport's below it. */
export interface SocketStatus {
  engine: number
  path: string
  protocol: number
  status: string
  timestamp: Timestamp
  transports: string[]
  version: string
}

/** CronAnswer is what /api/cron/send-reminders answers: what one look for reminders did. */
export interface CronAnswer {
  success: boolean
  sent: number
  /** too late, given up */
  skipped: number
  /** tried again by the next look */
  failed: number
  timestamp: Timestamp
}

/** Health is what GET /healthz answers. */
export interface Health {
  status: string
  uptimeSeconds: number
  version: string
}

/** Readiness is what GET /readyz answers: with 200 where `status` is ready, with 503 where it is not ready. */
export interface Readiness {
  parts: Record<string, PartState>
  status: string
}

/** PartState is the state of one part, such as the database. `status` is ok or failed. */
export interface PartState {
  status: string
  error?: string
  /** what there is to say although the part is ready */
  note?: string
  /** how long ago the part was seen to work */
  ageMs?: number
}

/**
 * InboxItem is a notification as the list shows it. `type` is the event's name where `metadata` has one, else the label of
 * the app's "NotificationType". `metadata` is NotificationMetadata for what this server stored; rows of other parts of the
 * app hold other members, or none.
 */
export interface InboxItem {
  id: string
  type: string
  channel: string
  message: string
  /** never a string (contract/frontend.md) */
  metadata: Record<string, unknown> | null
  status: string
  readAt: Timestamp | null
  createdAt: Timestamp
  appointmentId: string | null
}

/** NotificationMetadata is what notification_logs.metadata holds in rows that this server stored. */
export interface NotificationMetadata {
  isRealtime: boolean
  eventType: string
  eventData: Record<string, unknown> | null
  priority: Priority
}

/** Pagination tells where a list stands. */
export interface Pagination {
  /** of all pages */
  total: number
  page: number
  pages: number
  limit: number
  /** null on the last page */
  nextCursor: string | null
}

/** InboxList is a page of a user's notifications, newest first. */
export interface InboxList {
  notifications: InboxItem[]
  pagination: Pagination
}

/** InboxStats are the figures of a user's inbox. */
export interface InboxStats {
  unreadCount: number
  totalCount: number
  /** of the last 24 hours */
  recentCount: number
  byType: Record<string, number>
}

/** InboxAction is the body of POST /api/notifications. `action` is read-all. */
export interface InboxAction {
  action: 'read-all'
}

/** InboxReadAllAnswer says how many notifications were unread. */
export interface InboxReadAllAnswer {
  count: number
  success: boolean
}

/** InboxReadAnswer holds the notification that is read now. */
export interface InboxReadAnswer {
  notification: InboxItem
  success: boolean
}

/** InboxDeleteAnswer says that a notification is deleted. */
export interface InboxDeleteAnswer {
  success: boolean
}

/**
 * Preferences is a row of user_notification_preferences as Prisma shows it. A portal user, who can have none, gets the
 * defaults with id and times null.
 */
export interface Preferences {
  id: string | null
  userId: string
  enablePushNotifications: boolean
  enableEmailNotifications: boolean
  enableSMSNotifications: boolean
  enableWhatsAppNotifications: boolean
  notifyAppointmentCreated: boolean
  notifyAppointmentUpdated: boolean
  notifyAppointmentCancelled: boolean
  notifyAppointmentReminder: boolean
  notifyScheduleChanges: boolean
  notifySystemAlerts: boolean
  enableSounds: boolean
  enableDesktopNotifications: boolean
  enableToastNotifications: boolean
  /** whole numbers from 1 to 43200 */
  reminderMinutesBefore: number[]
  tenantId: string
  createdAt: Timestamp | null
  updatedAt: Timestamp | null
}

/** PreferencesAnswer is what GET /api/notifications/preferences answers. */
export interface PreferencesAnswer {
  preferences: Preferences
}

/** PreferencesSavedAnswer is what PUT and PATCH /api/notifications/preferences answer: the whole row as it is now. */
export interface PreferencesSavedAnswer {
  preferences: Preferences
  success: boolean
}

/** The bodies of the emit endpoints, by their path below /api/emit/. */
export interface EmitRequests {
  /** An appointment was made. */
  'appointments/created': AppointmentCreatedRequest
  /** An appointment was changed. */
  'appointments/updated': AppointmentUpdatedRequest
  /** An appointment was cancelled, and its row is gone. */
  'appointments/deleted': AppointmentDeletedRequest
  /** An appointment was moved. */
  'appointments/rescheduled': AppointmentRescheduledRequest
  /** Remind the professional and the portal user of an appointment. */
  'appointments/reminder': AppointmentReminderRequest
  /** A professional's working hours changed. */
  'schedule/updated': ScheduleUpdatedRequest
  /** A professional's hours or appointments collide. */
  'schedule/conflict': ScheduleConflictRequest
  /** Ask every calendar of the tenant to load anew. */
  'calendar/refresh': CalendarRefreshRequest
  /** Alert every user of the tenant, or of one role of it. */
  'system/alert': SystemAlertRequest
  /** Notify one user, or every user of the tenant. */
  'notification': NotificationRequest
  /** Send any event to a tenant's sockets; nothing is stored. */
  'tenant': EmitToTenantRequest
  /** Send any event to a user's sockets; nothing is stored. */
  'user': EmitToUserRequest
  /** Send any event to the sockets of a role of a tenant; nothing is stored. */
  'role': EmitToRoleRequest
}

/** The path of an emit endpoint below /api/emit/. */
export type EmitKind = keyof EmitRequests

/** One emit of a batch: the body of an emit endpoint with its kind beside it. */
export type BatchEntry = { [K in EmitKind]: { kind: K } & EmitRequests[K] }[EmitKind]

/** The body of PUT and PATCH /api/notifications/preferences. What identifies the row is ignored. */
export type PreferencesPatch = Partial<Preferences>

/** The events that the server itself sends. */
export const serverEvents = {
  connectionSuccess: 'connection:success',
  notificationNew: 'notification:new',
  notificationReadSuccess: 'notification:read:success',
  notificationReadError: 'notification:read:error',
  notificationReadAllSuccess: 'notification:read:all:success',
  notificationReadAllError: 'notification:read:all:error',
  notificationDeleted: 'notification:deleted',
  appointmentCreated: 'appointment:created',
  appointmentUpdated: 'appointment:updated',
  appointmentDeleted: 'appointment:deleted',
  appointmentRescheduled: 'appointment:rescheduled',
  appointmentReminder: 'appointment:reminder',
  scheduleUpdated: 'schedule:updated',
  scheduleConflict: 'schedule:conflict',
  calendarRefresh: 'calendar:refresh',
  systemAlert: 'system:alert',
  userOnline: 'user:online',
  userOffline: 'user:offline',
  userPresence: 'user:presence',
  userViewingCalendar: 'user:viewing:calendar',
  editingStarted: 'appointment:editing:started',
  editingStopped: 'appointment:editing:stopped',
  editingConflict: 'appointment:editing:conflict',
  presenceState: 'presence:state',
  authExpiring: 'auth:expiring',
} as const

/** The name of one of serverEvents. */
export type ServerEvent = (typeof serverEvents)[keyof typeof serverEvents]

/** The events that the server takes. */
export const clientEvents = {
  notificationRead: 'notification:read',
  notificationReadAll: 'notification:read:all',
  calendarViewing: 'calendar:viewing',
  appointmentEditing: 'appointment:editing',
  appointmentEditingStop: 'appointment:editing:stop',
  presenceUpdate: 'presence:update',
} as const

/** The name of one of clientEvents. */
export type ClientEvent = (typeof clientEvents)[keyof typeof clientEvents]

/** The events of the server as socket.io-client wants them: `Socket<ServerToClientEvents, ClientToServerEvents>`. */
export interface ServerToClientEvents {
  /** To the socket itself, once it is signed in. */
  'connection:success': (payload: ConnectionSuccess) => void
  /** To the user: a notification that is stored under its id. It may come twice after a crash; the id is the same. replayed is true where it was missed: the user comes back. */
  'notification:new': (payload: Notification) => void
  /** To the user, on every device: a notification is read. */
  'notification:read:success': (payload: NotificationRead) => void
  /** To the sender: a notification could not be marked as read. */
  'notification:read:error': (payload: NotificationReadError) => void
  /** To the user, on every device: all notifications are read. */
  'notification:read:all:success': (payload: NotificationReadAll) => void
  /** To the sender: the notifications could not be marked as read. */
  'notification:read:all:error': (payload: NotificationReadAllError) => void
  /** To the user, on every device: a notification is deleted. */
  'notification:deleted': (payload: NotificationRead) => void
  /** To the tenant: an appointment was made. */
  'appointment:created': (payload: AppointmentCreated) => void
  /** To the tenant: an appointment was changed. */
  'appointment:updated': (payload: AppointmentUpdated) => void
  /** To the tenant: an appointment was cancelled. */
  'appointment:deleted': (payload: AppointmentDeleted) => void
  /** To the tenant: an appointment was moved. */
  'appointment:rescheduled': (payload: AppointmentRescheduled) => void
  /** To the professional, and to the client's portal user where there is one: an appointment is near. */
  'appointment:reminder': (payload: AppointmentReminder) => void
  /** To the tenant: a professional's working hours changed. */
  'schedule:updated': (payload: ScheduleUpdated) => void
  /** To the roles ADMIN and MANAGER of the tenant: hours or appointments collide. */
  'schedule:conflict': (payload: ScheduleConflict) => void
  /** To the tenant, or (reason reconnected) to a user who comes back: calendars should load anew. */
  'calendar:refresh': (payload: CalendarRefresh) => void
  /** To the tenant, or to one role of it: a message from the system. */
  'system:alert': (payload: SystemAlert) => void
  /** To the others of the tenant: the user's first socket has come. */
  'user:online': (payload: UserOnline) => void
  /** To the tenant: the user's last socket has been gone for a short while. */
  'user:offline': (payload: UserOffline) => void
  /** To the others of the tenant: the user said that he or she is here or away. */
  'user:presence': (payload: UserPresence) => void
  /** To the others of the tenant: what the user looks at. */
  'user:viewing:calendar': (payload: UserViewingCalendar) => void
  /** To the others of the tenant: the user edits an appointment. */
  'appointment:editing:started': (payload: Editing) => void
  /** To the others of the tenant: the user edits an appointment no longer, or has gone. */
  'appointment:editing:stopped': (payload: Editing) => void
  /** To the sender of appointment:editing: somebody else edits that appointment already. */
  'appointment:editing:conflict': (payload: EditingConflict) => void
  /** To the socket itself, after connection:success: who is here already. */
  'presence:state': (payload: PresenceState) => void
  /** To the socket itself, a minute before its session ends: reconnecting with a fresh session is seamless. */
  'auth:expiring': (payload: AuthExpiring) => void
}

/** The events of a client. An acknowledgement callback may follow any of them. */
export interface ClientToServerEvents {
  /** Mark one of the user's own notifications as read: its id, bare or in an object. */
  'notification:read': (payload: string | NotificationRead, ack?: (answer: NotificationReadAck) => void) => void
  /** Mark all of the user's notifications as read. */
  'notification:read:all': (payload?: null, ack?: (answer: NotificationReadAllAck) => void) => void
  /** Tell the others of the tenant what the user looks at. */
  'calendar:viewing': (payload: CalendarViewing, ack?: (answer: Ack) => void) => void
  /** Tell the others of the tenant that the user edits an appointment: its id, bare or in an object. */
  'appointment:editing': (payload: string | AppointmentEditing, ack?: (answer: Ack) => void) => void
  /** Tell them that the user has stopped. A socket that goes away has stopped, too. */
  'appointment:editing:stop': (payload: string | AppointmentEditing, ack?: (answer: Ack) => void) => void
  /** Tell them that the user is here or away: the status, bare or in an object. */
  'presence:update': (payload: PresenceStatus | PresenceUpdate, ack?: (answer: Ack) => void) => void
}

/** Entries of one batch, at most. */
export const maxBatch = 1000

/** Characters of an Idempotency-Key, at most. */
export const maxIdempotencyKey = 255
