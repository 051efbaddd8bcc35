import {
  maxBatch,
  type BatchAnswer,
  type BatchEntry,
  type BatchResult,
  type EmitAnswer,
  type EmitKind,
  type EmitRequests,
  type SocketStats,
} from '../contract.js'

import { target, type CallOptions, type RealtimeOptions } from './options.js'
import { RealtimeError, type Emitted, type NotEmitted, type Outcome } from './outcome.js'
import { exchange, type Answer } from './request.js'

/** What is known of any call that the server took. */
type Exchange = Pick<Emitted, 'status' | 'replayed' | 'attempts' | 'idempotencyKey'>

/** What became of a batch: one result an entry, in order, where the server took it. */
export type BatchOutcome = (Exchange & { ok: true; results: BatchResult[] }) | NotEmitted

/** Calls the routes for servers. No method throws unless `throwOnError` says so. */
export interface Emitter {
  /** Emits: `kind` is a path below /api/emit/, such as appointments/created. */
  emit<K extends EmitKind>(kind: K, body: EmitRequests[K], options?: CallOptions): Promise<Outcome>
  /** Emits up to 1,000 at once. Each stands alone: look at `results`. */
  batch(emits: BatchEntry[], options?: CallOptions): Promise<BatchOutcome>
  /** Who is connected, by tenant, over all nodes; null where the server did not say. */
  stats(options?: CallOptions): Promise<SocketStats | null>
}

export function createEmitter(options: RealtimeOptions): Emitter {
  let complained = false // of a missing setting once, not at every call

  function report(route: string, failure: Omit<NotEmitted, 'ok' | 'idempotencyKey'>, call: CallOptions): void {
    const error = new RealtimeError(route, failure)
    if (call.throwOnError ?? options.throwOnError) throw error
    if (options.onError) {
      try {
        options.onError(error)
      } catch (thrown) {
        console.error('realtime: onError threw', thrown)
      }
    } else if (failure.code !== 'CONFIG' || !complained) {
      console.error(`realtime: ${error.message}`)
    }
    complained ||= failure.code === 'CONFIG'
  }

  async function send(method: string, route: string, body: unknown, key: string | undefined, call: CallOptions): Promise<Answer> {
    const at = target(options)
    const unsent = { ok: false, status: 0, attempts: 0 } as const
    if ('wrong' in at) return { ...unsent, code: 'CONFIG', error: at.wrong }
    let text: string | undefined
    try {
      text = body === undefined ? undefined : JSON.stringify(body)
    } catch (error) {
      return { ...unsent, code: 'INVALID', error: `cannot be written as JSON: ${(error as Error).message}` }
    }
    const headers: Record<string, string> = { Authorization: `Bearer ${at.key}` }
    if (text !== undefined) headers['Content-Type'] = 'application/json'
    if (key !== undefined) headers['Idempotency-Key'] = key
    try {
      new Headers(headers)
    } catch {
      return { ...unsent, code: 'INVALID', error: 'the key cannot be sent in a header', field: 'idempotencyKey' }
    }
    return exchange(`${at.url}/api/${route}`, { method, headers, body: text }, { ...options, ...given(call) })
  }

  /** What emit and batch share: the key that makes a repeat harmless, and the report of a failure. */
  async function post<T, O>(
    route: string,
    body: unknown,
    options: CallOptions | null | undefined,
    made: (body: T, exchange: Exchange) => O,
  ): Promise<O | NotEmitted> {
    const call = options ?? {} // null of a caller without types
    const idempotencyKey = call.idempotencyKey ?? crypto.randomUUID()
    const answer = await send('POST', route, body, idempotencyKey, call)
    if (!answer.ok) {
      report(route, answer, call)
      return { ...answer, idempotencyKey }
    }
    const { status, replayed, attempts } = answer
    return made(answer.body as T, { status, replayed, attempts, idempotencyKey })
  }

  return {
    emit: (kind, body, call) =>
      post(`emit/${kind}`, body, call, ({ id, delivered, notifications }: EmitAnswer, exchange): Emitted => ({
        ok: true,
        id,
        delivered,
        notifications,
        ...exchange,
      })),
    async batch(emits, call) {
      const count = Array.isArray(emits) ? emits.length : 0
      if (count === 0 || count > maxBatch) {
        const error = `a batch holds 1 to ${maxBatch} emits, not ${count}`
        const failure: NotEmitted = { ok: false, status: 0, code: 'INVALID', error, attempts: 0, idempotencyKey: '' }
        report('emit/batch', failure, call ?? {})
        return failure
      }
      return post('emit/batch', { emits }, call, ({ results }: BatchAnswer, exchange): BatchOutcome => ({
        ok: true,
        results,
        ...exchange,
      }))
    },
    async stats(options) {
      const call = options ?? {}
      const answer = await send('GET', 'socket/stats', undefined, undefined, call)
      if (answer.ok) return answer.body as SocketStats
      report('socket/stats', answer, call)
      return null
    },
  }
}

/** Without the members that are undefined, which would hide the client's own. */
function given<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, v]) => v !== undefined)) as Partial<T>
}
