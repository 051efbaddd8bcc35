import assert from 'node:assert/strict'

import { serverEvents } from '@citaplanner/realtime/contract'
import * as react from '@citaplanner/realtime/react'
import { createRealtime, emitToTenant, realtimeNotificationService } from '@citaplanner/realtime/server'
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'

assert.equal(serverEvents.notificationNew, 'notification:new')
assert.equal(typeof emitToTenant, 'function')
assert.equal(Object.keys(realtimeNotificationService).length, 10)
const outcome = await createRealtime({ url: 'http://127.0.0.1:9', apiKey: 'k', retries: 0, onError() {} }).emitAppointmentCreated(
  'a',
  't',
)
assert.equal(outcome.ok, false)
assert.equal(outcome.code, 'UNREACHABLE')

const bell = createElement(react.NotificationProvider, null, createElement(react.NotificationBell))
assert.match(renderToString(createElement(react.RealtimeProvider, null, bell)), /aria-label="Notificaciones"/)
assert.ok(import.meta.resolve('@citaplanner/realtime/styles.css').endsWith('/styles.css'))
