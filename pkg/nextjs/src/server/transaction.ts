import type { EmitKind, EmitRequests } from '../contract.js'

/** What is needed of Prisma's transaction client. */
export interface Transaction {
  $queryRaw(query: TemplateStringsArray, ...values: unknown[]): PromiseLike<unknown>
}

/**
 * Emits as part of a transaction of the app's own database (PostgreSQL alone): what is rolled back is never emitted, and what
 * is committed is emitted even when the server is down at that moment. Resolves to the id of the emit.
 *
 * It throws where the database refuses, a payload without its ids among the reasons, and the transaction is then lost, as
 * with any statement. The app's database role needs USAGE on the schema `realtime` and EXECUTE on `realtime.emit`.
 *
 * ```ts
 * await prisma.$transaction(async (tx) => {
 *   const appointment = await tx.appointment.create({ data })
 *   await emitInTransaction(tx, 'appointments/created', { appointmentId: appointment.id, tenantId: appointment.tenantId })
 * })
 * ```
 */
export async function emitInTransaction<K extends EmitKind>(tx: Transaction, kind: K, payload: EmitRequests[K]): Promise<string> {
  const rows = (await tx.$queryRaw`SELECT realtime.emit(${kind}, ${JSON.stringify(payload)}::jsonb) AS id`) as { id: string }[]
  return rows[0]?.id ?? ''
}
