import { createEmitter, type Emitter } from './emitter.js'
import { createFunctions, type EmitFunctions } from './functions.js'
import type { RealtimeOptions } from './options.js'
import { createService, type RealtimeNotificationService } from './service.js'
import { createSocketModule, type SocketModule } from './sockets.js'

export type { BatchOutcome, Emitter } from './emitter.js'
export type { ByActor, EmitFunctions } from './functions.js'
export type { CallOptions, RealtimeOptions } from './options.js'
export { RealtimeError, type Emitted, type FailureCode, type NotEmitted, type Outcome } from './outcome.js'
export type { AppointmentRow, RealtimeNotificationService, Time } from './service.js'
export type { SocketModule } from './sockets.js'
export { emitInTransaction, type Transaction } from './transaction.js'

/** Everything of this module with options of its own. */
export interface Realtime extends Emitter, EmitFunctions, SocketModule {
  realtimeNotificationService: RealtimeNotificationService
}

/** A client with the options given; what is missing comes from REALTIME_URL and REALTIME_API_KEY when it is first needed. */
export function createRealtime(options: RealtimeOptions = {}): Realtime {
  const emitter = createEmitter(options)
  return {
    ...emitter,
    ...createFunctions(emitter),
    ...createSocketModule(emitter),
    realtimeNotificationService: createService(emitter),
  }
}

const realtime = /* @__PURE__ */ createRealtime()

/** The service object that API routes already know. */
export const realtimeNotificationService = realtime.realtimeNotificationService
export const {
  emit,
  batch,
  emitAppointmentCreated,
  emitAppointmentUpdated,
  emitAppointmentDeleted,
  emitAppointmentRescheduled,
  emitScheduleUpdated,
  emitSystemAlert,
  emitToTenant,
  emitToUser,
  emitToRole,
  getConnectedUsers,
  getConnectionStats,
  initSocketServer,
  getSocketServer,
} = realtime
