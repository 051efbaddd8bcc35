import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import * as realtime from '../../src/server/index.js'

import { emitted, standIn, type Seen } from './realtime.js'

// The modules of the app re-export these; the calls below are those that API routes hold (the arguments in the order that the
// old modules had them).
const { realtimeNotificationService: service } = realtime

let seen: Seen[]
const stats = { totalConnections: 3, tenants: { t1: { users: ['u1', 'u2'], count: 3 } } }

beforeEach(async () => {
  const server = await standIn({ body: { ...emitted, ...stats } })
  seen = server.seen
  vi.stubEnv('REALTIME_URL', server.url)
  vi.stubEnv('REALTIME_API_KEY', 'k')
})
afterEach(() => vi.unstubAllEnvs())

/** Prisma's row, with what the app includes. */
const row = {
  id: 'a1',
  tenantId: 't1',
  userId: 'u1',
  clientId: 'c1',
  startTime: new Date('2026-03-02T16:00:00Z'),
  endTime: new Date('2026-03-02T16:45:00Z'),
  user: { id: 'u1', firstName: 'Paula', lastName: 'P' },
  client: { id: 'c1', firstName: 'Carla', phone: '+52' },
  service: { name: 'Corte' },
  branch: { name: 'Centro' },
}
const at = { appointmentId: 'a1', tenantId: 't1' }
const before = new Date('2026-03-01T16:00:00Z')
const until = '2026-03-01T16:45:00.000Z'
const old = { oldStartTime: '2026-03-01T16:00:00.000Z', oldEndTime: until }

describe('the calls of the old modules', () => {
  const calls: [string, () => Promise<unknown>, string, object][] = [
    [
      'broadcastAppointmentCreated',
      () => service.broadcastAppointmentCreated(row, 'u9'),
      'appointments/created',
      { ...at, actorId: 'u9' },
    ],
    [
      'broadcastAppointmentUpdated',
      () => service.broadcastAppointmentUpdated(row, 'u9', { status: 'CONFIRMED' }),
      'appointments/updated',
      { ...at, actorId: 'u9', changes: { status: 'CONFIRMED' } },
    ],
    [
      'broadcastAppointmentDeleted',
      () => service.broadcastAppointmentDeleted('a1', 't1', 'u9', { clientName: 'Carla', userId: 'u1' }),
      'appointments/deleted',
      { ...at, actorId: 'u9', appointmentData: { clientName: 'Carla', userId: 'u1' } },
    ],
    [
      'broadcastAppointmentRescheduled',
      () => service.broadcastAppointmentRescheduled(row, before, until, 'u9'),
      'appointments/rescheduled',
      { ...at, ...old, actorId: 'u9' },
    ],
    [
      'broadcastScheduleUpdated',
      () => service.broadcastScheduleUpdated('u1', 't1', 'u9', { monday: [] }),
      'schedule/updated',
      { professionalId: 'u1', tenantId: 't1', actorId: 'u9', schedule: { monday: [] } },
    ],
    [
      'broadcastCalendarRefresh',
      () => service.broadcastCalendarRefresh('t1', 'import', ['2026-03-02', before]),
      'calendar/refresh',
      { tenantId: 't1', reason: 'import', affectedDates: ['2026-03-02', '2026-03-01T16:00:00.000Z'] },
    ],
    [
      'broadcastSystemAlert',
      () => service.broadcastSystemAlert('t1', 'Cuidado', 'error', { x: 1 }, 'ADMIN'),
      'system/alert',
      { tenantId: 't1', message: 'Cuidado', severity: 'error', data: { x: 1 }, role: 'ADMIN' },
    ],
    [
      'sendAppointmentReminder',
      () => service.sendAppointmentReminder(row, 60),
      'appointments/reminder',
      { ...at, minutesBefore: 60 },
    ],
    [
      'broadcastScheduleConflict',
      () => service.broadcastScheduleConflict('t1', 'u1', { kind: 'overlap' }),
      'schedule/conflict',
      { tenantId: 't1', professionalId: 'u1', conflict: { kind: 'overlap' } },
    ],
    [
      'sendCustomNotification',
      () => service.sendCustomNotification('t1', 'u1', 'payment:received', 'Pago', { amount: 5 }, 'high'),
      'notification',
      { tenantId: 't1', userId: 'u1', type: 'payment:received', message: 'Pago', data: { amount: 5 }, priority: 'high' },
    ],
    [
      'sendCustomNotification to all',
      () => service.sendCustomNotification('t1', null, 'news', 'Hola'),
      'notification',
      { tenantId: 't1', type: 'news', message: 'Hola' },
    ],
    ['emitAppointmentCreated', () => realtime.emitAppointmentCreated('a1', 't1'), 'appointments/created', at],
    [
      'emitAppointmentUpdated',
      () => realtime.emitAppointmentUpdated('a1', 't1', { changes: { notes: 'x' }, actorId: 'u9' }),
      'appointments/updated',
      { ...at, changes: { notes: 'x' }, actorId: 'u9' },
    ],
    [
      'emitAppointmentDeleted',
      () => realtime.emitAppointmentDeleted(row, 't1'),
      'appointments/deleted',
      { tenantId: 't1', appointmentData: JSON.parse(JSON.stringify(row)) },
    ],
    [
      'emitAppointmentRescheduled',
      () => realtime.emitAppointmentRescheduled('a1', 't1', before, until),
      'appointments/rescheduled',
      { ...at, ...old },
    ],
    [
      'emitScheduleUpdated',
      () => realtime.emitScheduleUpdated('u1', 't1'),
      'schedule/updated',
      { professionalId: 'u1', tenantId: 't1' },
    ],
    [
      'emitSystemAlert',
      () => realtime.emitSystemAlert('Cuidado', 'warning', 't1'),
      'system/alert',
      { tenantId: 't1', message: 'Cuidado', severity: 'warning' },
    ],
    [
      'emitToTenant',
      () => realtime.emitToTenant('t1', 'payment:received', { amount: 5 }),
      'tenant',
      { tenantId: 't1', event: 'payment:received', data: { amount: 5 } },
    ],
    [
      'emitToUser',
      () => realtime.emitToUser('u1', 'commission:earned', [1]),
      'user',
      { userId: 'u1', event: 'commission:earned', data: [1] },
    ],
    [
      'emitToRole',
      () => realtime.emitToRole('ADMIN', 't1', 'x', null),
      'role',
      { role: 'ADMIN', tenantId: 't1', event: 'x', data: null },
    ],
  ]
  test.each(calls)('%s', async (_name, call, kind, body) => {
    expect(await call()).toMatchObject({ ok: true, id: 'e1' })
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({ method: 'POST', path: `/api/emit/${kind}` })
    expect(seen[0]!.body).toEqual(body)
  })

  test('getConnectedUsers is the number of users, getConnectionStats everything', async () => {
    expect(await realtime.getConnectedUsers('t1')).toBe(2)
    expect(await realtime.getConnectedUsers('nobody')).toBe(0)
    expect(await realtime.getConnectionStats()).toMatchObject(stats)
    expect(seen[0]).toMatchObject({ method: 'GET', path: '/api/socket/stats' })
  })

  test('statistics of a server that is down are zero', async () => {
    const rt = realtime.createRealtime({ url: 'http://127.0.0.1:9', apiKey: 'k', retries: 0, onError: () => {} })
    expect(await rt.getConnectedUsers('t1')).toBe(0)
    expect(await rt.getConnectionStats()).toEqual({ totalConnections: 0, tenants: {} })
  })

  test('initSocketServer and getSocketServer say once what to do, and are null', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    expect(realtime.initSocketServer({})).toBeNull()
    expect(realtime.getSocketServer()).toBeNull()
    expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('emitToTenant'))
    warn.mockRestore()
  })

  test('what callers get wrong throws nothing: the server says what is missing', async () => {
    await service.broadcastAppointmentCreated(null as never, 'u9')
    await service.broadcastAppointmentRescheduled(row, new Date('nonsense'), undefined as never)
    expect(seen.map((s) => s.body)).toEqual([{ actorId: 'u9' }, { ...at, oldStartTime: 'Invalid Date' }])
  })

  test('options that are null throw nothing', async () => {
    const none = null as never
    await realtime.emitAppointmentCreated('a1', 't1', none)
    await realtime.emitAppointmentUpdated('a1', 't1', none)
    await realtime.emitAppointmentDeleted(row, 't1', none)
    await realtime.emitAppointmentRescheduled('a1', 't1', '', '', none)
    await realtime.emitScheduleUpdated('p1', 't1', none)
    await realtime.emitSystemAlert('x', 'info', 't1', none)
    await realtime.emitToUser('u1', 'x', {}, none)
    await service.broadcastAppointmentCreated(row, 'u9', none)
    expect(seen).toHaveLength(8)
    expect(await realtime.getConnectedUsers('t1', none)).toEqual(expect.any(Number))
  })
})

describe('emitInTransaction', () => {
  test('selects realtime.emit with the kind and the payload as parameters, and answers its id', async () => {
    const queries: unknown[] = []
    const tx = {
      $queryRaw: async (text: TemplateStringsArray, ...values: unknown[]) => {
        queries.push({ text: text.join('?'), raw: Array.isArray(text.raw), values })
        return [{ id: '7' }]
      },
    }
    expect(await realtime.emitInTransaction(tx, 'appointments/created', at)).toBe('7')
    expect(queries).toEqual([
      { text: 'SELECT realtime.emit(?, ?::jsonb) AS id', raw: true, values: ['appointments/created', JSON.stringify(at)] },
    ])
  })

  test('throws what the database says: the transaction is lost', async () => {
    const tx = { $queryRaw: () => Promise.reject(new Error('no such kind')) }
    await expect(realtime.emitInTransaction(tx, 'appointments/created', at)).rejects.toThrow('no such kind')
  })
})
