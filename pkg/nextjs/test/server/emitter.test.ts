import { afterEach, describe, expect, test, vi } from 'vitest'

import { createRealtime, emitAppointmentCreated, RealtimeError } from '../../src/server/index.js'

import { standIn } from './realtime.js'

const key = { apiKey: 'k'.repeat(32) }
const silent = { ...key, onError: () => {} }
const body = { appointmentId: 'a1', tenantId: 't1' }

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

describe('an emit', () => {
  test('is one POST with the key, an idempotency key and the body, and says what happened', async () => {
    const { url, seen } = await standIn({})
    const outcome = await createRealtime({ url: url + '/', ...key }).emit('appointments/created', body)
    expect(outcome).toEqual({
      ok: true,
      status: 202,
      id: 'e1',
      delivered: { sockets: 2 },
      notifications: ['n1'],
      replayed: false,
      attempts: 1,
      idempotencyKey: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({ method: 'POST', path: '/api/emit/appointments/created', body })
    expect(seen[0]!.headers).toMatchObject({
      authorization: `Bearer ${key.apiKey}`,
      'content-type': 'application/json',
      'idempotency-key': outcome.idempotencyKey,
    })
  })

  test('leaves its connection to the next ones', async () => {
    const { url, seen } = await standIn({})
    const rt = createRealtime({ url, ...key })
    for (let i = 0; i < 10; i++) await rt.emit('appointments/created', body)
    expect(new Set(seen.map((s) => s.port)).size).toBeLessThanOrEqual(2) // undici may take a second one before the first is free again
  })

  test('tries again with the same idempotency key when the connection is cut', async () => {
    const { url, seen } = await standIn('cut', { headers: { 'Idempotent-Replayed': 'true' } })
    const outcome = await createRealtime({ url, ...key }).emit('appointments/created', body)
    expect(outcome).toMatchObject({ ok: true, attempts: 2, replayed: true })
    expect(new Set(seen.map((s) => s.headers['idempotency-key'])).size).toBe(1)
  })

  test.each([429, 503])('waits as long as Retry-After of a %i says', async (status) => {
    const { url } = await standIn(
      { status, headers: { 'Retry-After': '1' }, body: { code: 'RATE_LIMITED', error: 'too many' } },
      {},
    )
    const start = Date.now()
    expect(await createRealtime({ url, ...key }).emit('appointments/created', body)).toMatchObject({ ok: true, attempts: 2 })
    expect(Date.now() - start).toBeGreaterThanOrEqual(990)
  })

  test('fails at once where Retry-After reaches beyond the deadline', async () => {
    const { url, seen } = await standIn({
      status: 429,
      headers: { 'Retry-After': '60' },
      body: { code: 'RATE_LIMITED', error: 'too many' },
    })
    expect(await createRealtime({ url, ...silent }).emit('appointments/created', body)).toMatchObject({
      ok: false,
      status: 429,
      code: 'RATE_LIMITED',
      error: 'too many',
      attempts: 1,
    })
    expect(seen).toHaveLength(1)
  })

  test('is not tried again when the server refuses it', async () => {
    const problem = { code: 'NOT_FOUND', error: 'no such appointment in this tenant', field: 'appointmentId' }
    const { url, seen } = await standIn({ status: 404, headers: { 'Content-Type': 'application/problem+json' }, body: problem })
    expect(await createRealtime({ url, ...silent }).emit('appointments/created', body)).toMatchObject({
      ok: false,
      status: 404,
      ...problem,
      attempts: 1,
    })
    expect(seen).toHaveLength(1)
  })

  test('ends after its timeouts when nobody answers', async () => {
    const { url } = await standIn('hang')
    const outcome = await createRealtime({ url, ...silent, timeout: 50, retries: 1 }).emit('appointments/created', body)
    expect(outcome).toMatchObject({ ok: false, status: 0, code: 'UNREACHABLE', attempts: 2, error: 'no answer within 50 ms' })
  })

  test('says what to look at when something else answers at that address', async () => {
    const { url } = await standIn({ status: 200, headers: { 'Content-Type': 'text/html' }, body: '<html>' })
    expect(await createRealtime({ url, ...silent }).emit('appointments/created', body)).toMatchObject({
      ok: false,
      status: 200,
      error: expect.stringContaining('REALTIME_URL'),
    })
  })

  test('is given up with the signal of the caller, also between two requests', async () => {
    const { url, seen } = await standIn({ status: 503, headers: { 'Retry-After': '5' } })
    const stop = new AbortController()
    const outcome = createRealtime({ url, ...silent }).emit('appointments/created', body, { signal: stop.signal })
    await vi.waitFor(() => expect(seen).toHaveLength(1), 30_000)
    stop.abort()
    expect(await outcome).toMatchObject({ ok: false, code: 'ABORTED' })
    expect(seen).toHaveLength(1)
  })

  test('takes the idempotency key of the caller', async () => {
    const { url, seen } = await standIn({})
    await createRealtime({ url, ...key }).emit('appointments/created', body, { idempotencyKey: 'created:a1' })
    expect(seen[0]!.headers['idempotency-key']).toBe('created:a1')
  })
})

describe('a failure', () => {
  const nowhere = { url: 'http://127.0.0.1:9', ...key, retries: 0 }

  test('does not throw, and is logged once', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    expect(await createRealtime({ ...nowhere, retries: 2 }).emit('appointments/created', body)).toMatchObject({
      ok: false,
      code: 'UNREACHABLE',
      attempts: 3,
    })
    expect(log.mock.calls).toEqual([[expect.stringContaining('emit/appointments/created: the server cannot be reached')]])
  })

  test('goes to onError in place of the log, and what that throws goes no further', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const onError = vi.fn(() => {
      throw new Error('of the hook')
    })
    expect(await createRealtime({ ...nowhere, onError }).emit('appointments/created', body)).toMatchObject({ ok: false })
    expect(onError).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ name: 'RealtimeError', code: 'UNREACHABLE', route: 'emit/appointments/created' }),
    )
    expect(log).toHaveBeenCalledOnce()
  })

  test('throws where that is asked for, for the client or the call', async () => {
    await expect(createRealtime({ ...nowhere, throwOnError: true }).emit('appointments/created', body)).rejects.toThrow(
      RealtimeError,
    )
    await expect(createRealtime(nowhere).emit('appointments/created', body, { throwOnError: true })).rejects.toThrow(
      'cannot be reached',
    )
  })

  test('of a body that JSON cannot hold is an outcome, too', async () => {
    const changes = { price: 1n }
    expect(await createRealtime({ ...nowhere, ...silent }).emit('appointments/updated', { ...body, changes })).toMatchObject({
      ok: false,
      code: 'INVALID',
      attempts: 0,
    })
  })

  test('of an address or a key that cannot be one says so at once', async () => {
    expect(await createRealtime({ url: 'realtime:3000', ...silent }).emit('appointments/created', body)).toMatchObject({
      code: 'CONFIG',
      error: 'REALTIME_URL is no address such as http://realtime:3000: realtime:3000',
      attempts: 0,
    })
    const idempotencyKey = 'cita → mañana'
    expect(await createRealtime({ ...nowhere, ...silent }).emit('appointments/created', body, { idempotencyKey })).toMatchObject({
      code: 'INVALID',
      field: 'idempotencyKey',
      attempts: 0,
    })
  })
})

describe('the environment', () => {
  test('is read at the call: the module can be imported without it, and a missing setting is logged once', async () => {
    vi.stubEnv('REALTIME_URL', '')
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    expect(await emitAppointmentCreated('a1', 't1')).toMatchObject({
      ok: false,
      code: 'CONFIG',
      error: 'REALTIME_URL is not set',
    })
    await emitAppointmentCreated('a1', 't1')
    expect(log).toHaveBeenCalledOnce()

    const { url, seen } = await standIn({})
    vi.stubEnv('REALTIME_URL', url)
    vi.stubEnv('REALTIME_API_KEY', 'new-key, old-key')
    expect(await emitAppointmentCreated('a1', 't1')).toMatchObject({ ok: true })
    expect(seen[0]!.headers.authorization).toBe('Bearer new-key')
  })
})

describe('a batch', () => {
  test('is one request with one result an entry', async () => {
    const results = [
      { success: true, status: 202, id: 'e1', delivered: { sockets: 0 }, notifications: [] },
      { success: false, status: 404, error: 'no such appointment' },
    ]
    const { url, seen } = await standIn({ body: { success: true, results } })
    const outcome = await createRealtime({ url, ...key }).batch([
      { kind: 'appointments/created', ...body },
      { kind: 'calendar/refresh', tenantId: 't1', reason: 'import' },
    ])
    expect(outcome).toMatchObject({ ok: true, status: 202, results })
    expect(seen[0]).toMatchObject({
      path: '/api/emit/batch',
      body: { emits: [{ kind: 'appointments/created', ...body }, { kind: 'calendar/refresh' }] },
    })
  })

  test('that is empty or too large is refused before it is sent', async () => {
    const rt = createRealtime({ url: 'http://127.0.0.1:9', ...silent })
    expect(await rt.batch([])).toMatchObject({ ok: false, code: 'INVALID', attempts: 0 })
    expect(await rt.batch(undefined as never)).toMatchObject({ ok: false, code: 'INVALID', attempts: 0 })
    expect(await rt.batch(Array(1001).fill({ kind: 'calendar/refresh', tenantId: 't', reason: 'x' }))).toMatchObject({
      ok: false,
      code: 'INVALID',
    })
  })
})
