import type { Priority, Role, Severity } from '../contract.js'

import type { Emitter } from './emitter.js'
import type { CallOptions } from './options.js'
import type { Outcome } from './outcome.js'

/**
 * An appointment as Prisma's client gives it. Only these two members are read: the server loads the row itself, with its
 * client, service, professional and branch.
 */
export interface AppointmentRow {
  id: string
  tenantId: string
}

/** A time as Prisma's client (Date) or JSON (ISO 8601) gives it. */
export type Time = Date | string

/**
 * The service object that API routes already know: the same methods, the same order of arguments. Each resolves to what became
 * of it, and throws only with `throwOnError`.
 */
export interface RealtimeNotificationService {
  broadcastAppointmentCreated(appointment: AppointmentRow, createdByUserId?: string, options?: CallOptions): Promise<Outcome>
  broadcastAppointmentUpdated(
    appointment: AppointmentRow,
    updatedByUserId?: string,
    changes?: object | null,
    options?: CallOptions,
  ): Promise<Outcome>
  /** `appointmentData` is the row as it was: the professional to tell (`userId` or `professionalId`) and `clientName` or `client` come from it. */
  broadcastAppointmentDeleted(
    appointmentId: string,
    tenantId: string,
    deletedByUserId: string | undefined,
    appointmentData: object,
    options?: CallOptions,
  ): Promise<Outcome>
  broadcastAppointmentRescheduled(
    appointment: AppointmentRow,
    oldStartTime: Time,
    oldEndTime: Time,
    rescheduledByUserId?: string,
    options?: CallOptions,
  ): Promise<Outcome>
  broadcastScheduleUpdated(
    professionalId: string,
    tenantId: string,
    updatedByUserId?: string,
    scheduleData?: unknown,
    options?: CallOptions,
  ): Promise<Outcome>
  broadcastCalendarRefresh(tenantId: string, reason: string, affectedDates?: Time[], options?: CallOptions): Promise<Outcome>
  broadcastSystemAlert(
    tenantId: string,
    message: string,
    severity: Severity,
    data?: object | null,
    targetRole?: Role,
    options?: CallOptions,
  ): Promise<Outcome>
  sendAppointmentReminder(appointment: AppointmentRow, minutesBefore: number, options?: CallOptions): Promise<Outcome>
  broadcastScheduleConflict(
    tenantId: string,
    professionalId: string,
    conflictData: unknown,
    options?: CallOptions,
  ): Promise<Outcome>
  /** `userId` null tells every active user of the tenant. */
  sendCustomNotification(
    tenantId: string,
    userId: string | null,
    type: string,
    message: string,
    data?: object | null,
    priority?: Priority,
    options?: CallOptions,
  ): Promise<Outcome>
}

export function createService(emitter: Emitter): RealtimeNotificationService {
  const { emit } = emitter
  // A row that is missing must not throw into the caller's request: the server says which id it lacks.
  const of = (row: AppointmentRow) => ({ appointmentId: row?.id, tenantId: row?.tenantId })
  return {
    broadcastAppointmentCreated: (row, actorId, options) => emit('appointments/created', { ...of(row), actorId }, options),
    broadcastAppointmentUpdated: (row, actorId, changes, options) =>
      emit('appointments/updated', { ...of(row), actorId, changes }, options),
    broadcastAppointmentDeleted: (appointmentId, tenantId, actorId, appointmentData, options) =>
      emit('appointments/deleted', { appointmentId, tenantId, actorId, appointmentData }, options),
    broadcastAppointmentRescheduled: (row, oldStartTime, oldEndTime, actorId, options) =>
      emit(
        'appointments/rescheduled',
        { ...of(row), oldStartTime: iso(oldStartTime), oldEndTime: iso(oldEndTime), actorId },
        options,
      ),
    broadcastScheduleUpdated: (professionalId, tenantId, actorId, schedule, options) =>
      emit('schedule/updated', { professionalId, tenantId, actorId, schedule }, options),
    broadcastCalendarRefresh: (tenantId, reason, affectedDates, options) =>
      emit(
        'calendar/refresh',
        { tenantId, reason, affectedDates: Array.isArray(affectedDates) ? affectedDates.map(iso) : undefined },
        options,
      ),
    broadcastSystemAlert: (tenantId, message, severity, data, role, options) =>
      emit('system/alert', { tenantId, message, severity, data, role }, options),
    sendAppointmentReminder: (row, minutesBefore, options) =>
      emit('appointments/reminder', { ...of(row), minutesBefore }, options),
    broadcastScheduleConflict: (tenantId, professionalId, conflict, options) =>
      emit('schedule/conflict', { professionalId, tenantId, conflict }, options),
    sendCustomNotification: (tenantId, userId, type, message, data, priority, options) =>
      emit('notification', { tenantId, userId: userId ?? undefined, type, message, data, priority }, options),
  }
}

/** What is no Date, or an invalid one, goes out as it is, and the server names the field: nothing throws into the caller's request. */
export function iso(time: Time): string {
  if (!(time instanceof Date)) return time
  return Number.isNaN(time.getTime()) ? String(time) : time.toISOString()
}
