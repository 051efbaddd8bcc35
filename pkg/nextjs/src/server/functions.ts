import type { Role, Severity } from '../contract.js'

import type { Emitter } from './emitter.js'
import type { CallOptions } from './options.js'
import type { Outcome } from './outcome.js'
import { iso, type Time } from './service.js'

/** Who did it: a professional is not told of his or her own change. */
export interface ByActor extends CallOptions {
  actorId?: string
}

/** The functions of the documentation. Each resolves to what became of it, and throws only with `throwOnError`. */
export interface EmitFunctions {
  emitAppointmentCreated(appointmentId: string, tenantId: string, options?: ByActor): Promise<Outcome>
  emitAppointmentUpdated(
    appointmentId: string,
    tenantId: string,
    options?: ByActor & { changes?: object | null },
  ): Promise<Outcome>
  /** `appointmentData` is the row as it was, with its `id`. */
  emitAppointmentDeleted(appointmentData: object, tenantId: string, options?: ByActor): Promise<Outcome>
  emitAppointmentRescheduled(
    appointmentId: string,
    tenantId: string,
    oldStartTime: Time,
    oldEndTime: Time,
    options?: ByActor,
  ): Promise<Outcome>
  emitScheduleUpdated(professionalId: string, tenantId: string, options?: ByActor & { schedule?: unknown }): Promise<Outcome>
  emitSystemAlert(
    message: string,
    severity: Severity,
    tenantId: string,
    options?: CallOptions & { data?: object | null; role?: Role },
  ): Promise<Outcome>
}

export function createFunctions({ emit }: Emitter): EmitFunctions {
  // Options may be null, of a caller without types: nothing throws.
  return {
    emitAppointmentCreated(appointmentId, tenantId, options) {
      const { actorId, ...call } = options ?? {}
      return emit('appointments/created', { appointmentId, tenantId, actorId }, call)
    },
    emitAppointmentUpdated(appointmentId, tenantId, options) {
      const { actorId, changes, ...call } = options ?? {}
      return emit('appointments/updated', { appointmentId, tenantId, actorId, changes }, call)
    },
    emitAppointmentDeleted(appointmentData, tenantId, options) {
      const { actorId, ...call } = options ?? {}
      return emit('appointments/deleted', { appointmentData, tenantId, actorId }, call)
    },
    emitAppointmentRescheduled(appointmentId, tenantId, oldStart, oldEnd, options) {
      const { actorId, ...call } = options ?? {}
      const times = { oldStartTime: iso(oldStart), oldEndTime: iso(oldEnd) }
      return emit('appointments/rescheduled', { appointmentId, tenantId, ...times, actorId }, call)
    },
    emitScheduleUpdated(professionalId, tenantId, options) {
      const { actorId, schedule, ...call } = options ?? {}
      return emit('schedule/updated', { professionalId, tenantId, actorId, schedule }, call)
    },
    emitSystemAlert(message, severity, tenantId, options) {
      const { data, role, ...call } = options ?? {}
      return emit('system/alert', { tenantId, message, severity, data, role }, call)
    },
  }
}
