import type { Delivered, ErrorCode } from '../contract.js'

/** Why an emit was not made. `CONFIG`: no address or key; `UNREACHABLE`: no answer; `ABORTED`: the caller's signal; the rest are the server's. */
export type FailureCode = ErrorCode | 'CONFIG' | 'UNREACHABLE' | 'ABORTED'

/** An emit that was made: its notifications are committed. */
export interface Emitted {
  ok: true
  status: number
  id: string
  /** Sockets that it was queued for on the node that answered. */
  delivered: Delivered
  /** Ids of the notifications stored. */
  notifications: string[]
  /** Whether the server had made it before, under the same idempotency key. */
  replayed: boolean
  /** Requests that it took. */
  attempts: number
  idempotencyKey: string
}

/** An emit that was not made, or of which nobody knows whether it was. */
export interface NotEmitted {
  ok: false
  /** HTTP status; 0 where there was no answer. */
  status: number
  code: FailureCode
  /** A sentence for developers. */
  error: string
  /** The field that is wrong, where there is one. */
  field?: string
  attempts: number
  idempotencyKey: string
}

/** What became of an emit. */
export type Outcome = Emitted | NotEmitted

/** What `throwOnError` throws, and what `onError` gets. */
export class RealtimeError extends Error {
  override readonly name = 'RealtimeError'
  readonly code: FailureCode
  readonly status: number
  readonly field?: string
  readonly attempts: number

  constructor(
    /** Path of the route below /api/, such as emit/appointments/created. */
    readonly route: string,
    failure: Omit<NotEmitted, 'ok' | 'idempotencyKey'>,
  ) {
    super(`${route}: ${failure.error}${failure.field ? ` (${failure.field})` : ''}`)
    this.code = failure.code
    this.status = failure.status
    this.field = failure.field
    this.attempts = failure.attempts
  }
}
