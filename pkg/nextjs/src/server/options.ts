import type { RealtimeError } from './outcome.js'

/** How to reach the server. Everything has a default. */
export interface RealtimeOptions {
  /** Address of the server, such as http://realtime:3000. Default: REALTIME_URL, read at the first call. */
  url?: string
  /** Default: REALTIME_API_KEY. Of several separated by commas the first is sent. */
  apiKey?: string
  /** Milliseconds that one request may take. Default: 5,000. */
  timeout?: number
  /** Requests after the first, while the server cannot be reached or says 429, 500, 502, 503 or 504. Default: 2. */
  retries?: number
  /** Milliseconds that a call may take with all its requests and pauses. Default: 10,000. */
  deadline?: number
  /** Throw a RealtimeError where an emit was not made, in place of an outcome with `ok: false`. Default: false. */
  throwOnError?: boolean
  /** Told once of each call that failed. Default: console.error. It may not throw. */
  onError?: (error: RealtimeError) => void
  /** Default: the global fetch. Node's keeps its connections alive by itself. */
  fetch?: typeof fetch
}

/** What one call may say in place of the options. */
export interface CallOptions {
  /** At most 255 characters; a repeat within 24 hours emits nothing and answers the first result. Default: a random one for each call. */
  idempotencyKey?: string
  /** Gives the call up. */
  signal?: AbortSignal
  timeout?: number
  retries?: number
  deadline?: number
  throwOnError?: boolean
}

/** The environment, where there is one. Both names stand literally: the edge runtime puts their values in at build time. */
declare const process: { env: Record<string, string | undefined> } | undefined

/** Where to, and with which key, or what is wrong with them. Read at each call: a build must not need them. */
export function target(options: RealtimeOptions): { url: string; key: string } | { wrong: string } {
  const there = typeof process !== 'undefined'
  const url = options.url ?? (there ? process.env.REALTIME_URL : undefined)
  const keys = options.apiKey ?? (there ? process.env.REALTIME_API_KEY : undefined)
  const key = keys?.split(',')[0]?.trim()
  if (!url) return { wrong: 'REALTIME_URL is not set' }
  if (!/^https?:\/\/./i.test(url)) return { wrong: `REALTIME_URL is no address such as http://realtime:3000: ${url}` }
  if (!key) return { wrong: 'REALTIME_API_KEY is not set' }
  return { url: url.replace(/\/+$/, ''), key }
}
