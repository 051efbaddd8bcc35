import type { Problem } from '../contract.js'

import type { CallOptions, RealtimeOptions } from './options.js'
import type { FailureCode } from './outcome.js'

/** One exchange with the server: what it answered, or why there was no good answer. */
export type Answer =
  | { ok: true; status: number; body: unknown; replayed: boolean; attempts: number }
  | { ok: false; status: number; code: FailureCode; error: string; field?: string; attempts: number }

type Failure = Extract<Answer, { ok: false }> & { retryAfter?: number; again: boolean }

const firstPause = 200 // milliseconds, doubled with each retry
const passing = new Set([408, 429, 500, 502, 503, 504])

/**
 * Sends one request, again where that may help: with the same idempotency key, so that one whose answer was lost is not
 * emitted twice. Retry-After is kept to; where it reaches beyond the deadline the call fails at once.
 */
export async function exchange(url: string, init: RequestInit, options: RealtimeOptions & CallOptions): Promise<Answer> {
  const { timeout = 5000, retries = 2, deadline = 10_000, signal } = options
  const end = Date.now() + deadline
  for (let attempts = 1; ; attempts++) {
    const answer = await once(url, init, Math.min(timeout, end - Date.now()), options.fetch ?? fetch, signal, attempts)
    if (answer.ok) return answer
    const { again, retryAfter, ...failure } = answer
    const pause = Math.max(retryAfter ?? 0, firstPause * 2 ** (attempts - 1) * (0.75 + Math.random() / 2))
    if (!again || attempts > retries || Date.now() + pause >= end) return failure
    if (!(await pauses(pause, signal))) return { ...failure, code: 'ABORTED', error: 'given up by the caller' }
  }
}

async function once(
  url: string,
  init: RequestInit,
  timeout: number,
  send: typeof fetch,
  signal: AbortSignal | undefined,
  attempts: number,
): Promise<(Answer & { ok: true }) | Failure> {
  const stop = new AbortController()
  const abort = () => stop.abort()
  const timer = setTimeout(abort, Math.max(timeout, 1))
  signal?.addEventListener('abort', abort)
  if (signal?.aborted) abort()
  try {
    // Next.js 14 would keep the answer of a fetch otherwise.
    const response = await send(url, { ...init, cache: 'no-store', signal: stop.signal })
    const text = await response.text() // also of a failure: a body that is not read holds the connection
    const body = parse(text)
    if (response.ok && body !== undefined) {
      return {
        ok: true,
        status: response.status,
        body,
        replayed: response.headers.get('Idempotent-Replayed') === 'true',
        attempts,
      }
    }
    return refusal(response, body, attempts)
  } catch (error) {
    const failed = { ok: false, status: 0, attempts } as const
    if (signal?.aborted) return { ...failed, code: 'ABORTED', error: 'given up by the caller', again: false }
    if (stop.signal.aborted) return { ...failed, code: 'UNREACHABLE', error: `no answer within ${timeout} ms`, again: true }
    return { ...failed, code: 'UNREACHABLE', error: `the server cannot be reached: ${reason(error)}`, again: true }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

function refusal(response: Response, body: unknown, attempts: number): Failure {
  const { code, error, field } = (body ?? {}) as Partial<Problem>
  const status = response.status
  return {
    ok: false,
    status,
    code: code ?? (status >= 500 ? 'UNAVAILABLE' : 'INVALID'),
    error:
      error ?? (response.ok ? 'the answer is not JSON: is REALTIME_URL the address of the realtime server?' : `HTTP ${status}`),
    field,
    attempts,
    again: passing.has(status),
    retryAfter: retryAfter(response.headers.get('Retry-After')),
  }
}

/** Retry-After is in seconds or a date (RFC 9110, section 10.2.3). Milliseconds, undefined where there is none. */
function retryAfter(header: string | null): number | undefined {
  if (!header) return undefined
  const seconds = Number(header)
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now()
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** undici says only "fetch failed"; what failed is the cause. */
function reason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  if (cause instanceof Error) return cause.message || String((cause as { code?: string }).code ?? cause.name)
  return error instanceof Error ? error.message : String(error)
}

/** Resolves to false where the signal ended it. */
function pauses(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (whole: boolean) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', aborted)
      resolve(whole)
    }
    const aborted = () => end(false)
    const timer = setTimeout(() => end(true), ms)
    signal?.addEventListener('abort', aborted)
    if (signal?.aborted) aborted()
  })
}
