// As a CommonJS module uses it.
import server = require('@citaplanner/realtime/server')
import react = require('@citaplanner/realtime/react')
import contract = require('@citaplanner/realtime/contract')

export const users: Promise<number> = server.getConnectedUsers('t')
export const bell = react.NotificationBell
export const event: contract.ServerEvent = 'notification:new'
