// As an API route uses it, in an ES module.
import type { AppointmentCreated, EmitKind } from '@citaplanner/realtime/contract'
import {
  createRealtime,
  emitAppointmentCreated,
  emitInTransaction,
  realtimeNotificationService,
  type Outcome,
} from '@citaplanner/realtime/server'

export async function POST(row: { id: string; tenantId: string; startTime: Date }, by: string): Promise<number> {
  const outcome: Outcome = await realtimeNotificationService.broadcastAppointmentCreated(row, by)
  await emitAppointmentCreated(row.id, row.tenantId, { idempotencyKey: `created:${row.id}` })
  // @ts-expect-error: a severity that there is not
  await realtimeNotificationService.broadcastSystemAlert(row.tenantId, 'x', 'fatal')
  return outcome.ok ? outcome.delivered.sockets : outcome.status
}

export const client = createRealtime({ url: 'http://localhost:3000', throwOnError: true })
export const kind: EmitKind = 'appointments/created'
export const nameOf = (event: AppointmentCreated): string => event.appointment.clientName
export const inTransaction = (tx: { $queryRaw(query: TemplateStringsArray, ...values: unknown[]): Promise<unknown> }) =>
  emitInTransaction(tx, 'calendar/refresh', { tenantId: 't', reason: 'import' })
