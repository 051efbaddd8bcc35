const assert = require('node:assert/strict')

const { createElement } = require('react')
const { renderToString } = require('react-dom/server')
const { serverEvents } = require('@citaplanner/realtime/contract')
const react = require('@citaplanner/realtime/react')
const server = require('@citaplanner/realtime/server')

assert.equal(serverEvents.notificationNew, 'notification:new')
assert.equal(typeof server.emitInTransaction, 'function')
assert.equal(server.getSocketServer.length, 0)
const bell = createElement(react.NotificationProvider, null, createElement(react.NotificationBell))
assert.match(renderToString(createElement(react.RealtimeProvider, { locale: 'en' }, bell)), /aria-label="Notifications"/)
assert.ok(require.resolve('@citaplanner/realtime/styles.css'))
