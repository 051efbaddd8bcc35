import { describe, expect, test, vi } from 'vitest'

import * as realtime from '../../src/server/index.js'

// REALTIME_URL and REALTIME_API_KEY are a real server's, with the world of db/dbtest behind it.
const { realtimeNotificationService: service } = realtime
const row = { id: 'a-appointment', tenantId: 'tenant-a', userId: 'a-professional', clientId: 'a-client' }
const at = { appointmentId: row.id, tenantId: row.tenantId }
const before = new Date('2025-11-12T16:00:00Z')
const until = new Date('2025-11-12T16:45:00Z')

describe('the real server', () => {
  test.each<[string, () => Promise<realtime.Outcome>]>([
    ['broadcastAppointmentCreated', () => service.broadcastAppointmentCreated(row, 'a-admin')],
    ['broadcastAppointmentUpdated', () => service.broadcastAppointmentUpdated(row, 'a-admin', { status: 'CONFIRMED' })],
    ['broadcastAppointmentDeleted', () => service.broadcastAppointmentDeleted(row.id, row.tenantId, 'a-admin', row)],
    ['broadcastAppointmentRescheduled', () => service.broadcastAppointmentRescheduled(row, before, until, 'a-admin')],
    ['broadcastScheduleUpdated', () => service.broadcastScheduleUpdated('a-professional', 'tenant-a', 'a-admin', { monday: [] })],
    ['broadcastCalendarRefresh', () => service.broadcastCalendarRefresh('tenant-a', 'import', ['2026-03-02'])],
    ['broadcastSystemAlert', () => service.broadcastSystemAlert('tenant-a', 'Cuidado', 'error', { x: 1 }, 'ADMIN')],
    ['sendAppointmentReminder', () => service.sendAppointmentReminder(row, 60)],
    ['broadcastScheduleConflict', () => service.broadcastScheduleConflict('tenant-a', 'a-professional', { kind: 'overlap' })],
    [
      'sendCustomNotification',
      () => service.sendCustomNotification('tenant-a', 'a-manager', 'payment:received', 'Pago', { amount: 5 }, 'high'),
    ],
    ['sendCustomNotification to all', () => service.sendCustomNotification('tenant-a', null, 'news', 'Hola')],
    ['emitAppointmentCreated', () => realtime.emitAppointmentCreated('a-appointment-2', 'tenant-a')],
    [
      'emitAppointmentUpdated',
      () => realtime.emitAppointmentUpdated('a-appointment-2', 'tenant-a', { changes: { notes: 'x' }, actorId: 'a-admin' }),
    ],
    ['emitAppointmentDeleted', () => realtime.emitAppointmentDeleted({ id: 'gone', userId: 'a-professional' }, 'tenant-a')],
    [
      'emitAppointmentRescheduled',
      () => realtime.emitAppointmentRescheduled('a-appointment-2', 'tenant-a', before, until.toISOString()),
    ],
    ['emitScheduleUpdated', () => realtime.emitScheduleUpdated('a-professional-2', 'tenant-a')],
    ['emitSystemAlert', () => realtime.emitSystemAlert('Mantenimiento', 'warning', 'tenant-a')],
    ['emitToTenant', () => realtime.emitToTenant('tenant-a', 'payment:received', { amount: 5 })],
    ['emitToUser', () => realtime.emitToUser('a-manager', 'commission:earned', { amount: 5 })],
    ['emitToRole', () => realtime.emitToRole('ADMIN', 'tenant-a', 'x', null)],
  ])('takes %s', async (_name, call) => {
    expect(await call()).toMatchObject({
      ok: true,
      status: 202,
      id: expect.any(String),
      notifications: expect.any(Array),
      replayed: false,
      attempts: 1,
    })
  })

  test('answers a repeat with the same key from the first, and refuses the key for something else', async () => {
    const rt = realtime.createRealtime({ onError: () => {} })
    const idempotencyKey = crypto.randomUUID()
    const first = await rt.emitAppointmentCreated('a-appointment-3', 'tenant-a', { idempotencyKey })
    expect(await rt.emitAppointmentCreated('a-appointment-3', 'tenant-a', { idempotencyKey })).toEqual({
      ...first,
      replayed: true,
    })
    expect(await rt.emitAppointmentCreated('a-appointment', 'tenant-a', { idempotencyKey })).toMatchObject({
      ok: false,
      status: 422,
      code: 'KEY_REUSED',
    })
  })

  test('says why it refuses', async () => {
    const onError = vi.fn()
    const rt = realtime.createRealtime({ onError })
    expect(await rt.emitAppointmentCreated('b-appointment', 'tenant-a')).toMatchObject({
      ok: false,
      status: 404,
      code: 'NOT_FOUND',
    })
    expect(await rt.emit('appointments/reminder', at as never)).toMatchObject({
      ok: false,
      status: 400,
      code: 'INVALID',
      field: 'minutesBefore',
    })
    expect(
      await realtime.createRealtime({ apiKey: 'wrong', onError }).emitAppointmentCreated('a-appointment', 'tenant-a'),
    ).toMatchObject({ ok: false, status: 401 })
    expect(onError).toHaveBeenCalledTimes(3)
  })

  test('answers each entry of a batch', async () => {
    const outcome = await realtime.batch([
      { kind: 'calendar/refresh', tenantId: 'tenant-a', reason: 'import' },
      { kind: 'appointments/created', appointmentId: 'b-appointment', tenantId: 'tenant-a' },
    ])
    expect(outcome).toMatchObject({
      ok: true,
      results: [
        { success: true, status: 202 },
        { success: false, status: 404, code: 'NOT_FOUND' },
      ],
    })
  })
})
