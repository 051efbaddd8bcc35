// Real socket.io-client sockets, driven by a test over standard input and output: one JSON object a line, both ways.
//   in:  {op:"open", id, url, cookie?, origin?, bearer?, token?, transports?, options?}   token defaults to '' as in the app's hook
//        {op:"emit", id, event, args, ack?}   {op:"close", id}   {op:"engine-close", id}   {op:"connect", id}
//   out: {id, type:"connect", sid, transport, recovered} | {id, type:"event", event, args} | {id, type:"connect_error", message, data}
//        | {id, type:"disconnect", reason} | {id, type:"ack", ack, args, error} | {id, type:"upgrade"} | {id, type:"reconnect_failed"}
import { createInterface } from 'node:readline'
import { io } from 'socket.io-client'

const sockets = new Map()
const say = (message) => process.stdout.write(JSON.stringify(message, replacer) + '\n')

// Binary arguments come out as {$binary: base64}, and go in the same way.
function replacer(_key, value) {
  if (value && value.type === 'Buffer' && Array.isArray(value.data)) return { $binary: Buffer.from(value.data).toString('base64') }
  if (value instanceof ArrayBuffer) return { $binary: Buffer.from(value).toString('base64') }
  return value
}
function reviver(_key, value) {
  return value && typeof value.$binary === 'string' ? Buffer.from(value.$binary, 'base64') : value
}

const ops = {
  open({ id, url, cookie, origin, bearer, token, transports, options }) {
    const extraHeaders = {}
    if (cookie) extraHeaders.cookie = cookie
    if (origin) extraHeaders.origin = origin
    if (bearer) extraHeaders.authorization = `Bearer ${bearer}`
    // Exactly what the app's useSocket() passes; a test's own wishes come last.
    const socket = io(url, {
      path: '/api/socket',
      addTrailingSlash: false,
      auth: { token: token === undefined ? '' : token },
      reconnection: true,
      reconnectionDelay: 1000,
      reconnectionAttempts: 5,
      forceNew: true,
      extraHeaders,
      ...(transports ? { transports } : {}),
      ...options,
    })
    sockets.set(id, socket)
    socket.on('connect', () => say({ id, type: 'connect', sid: socket.id, transport: socket.io.engine.transport.name, recovered: socket.recovered }))
    socket.on('connect_error', (e) => say({ id, type: 'connect_error', message: e.message, data: e.data, active: socket.active }))
    socket.on('disconnect', (reason) => say({ id, type: 'disconnect', reason, active: socket.active }))
    socket.io.on('reconnect_failed', () => say({ id, type: 'reconnect_failed' }))
    socket.io.on('open', () => socket.io.engine.on('upgrade', (t) => say({ id, type: 'upgrade', transport: t.name })))
    socket.onAny((event, ...args) => {
      if (event === 'please:ack') args.pop()(args[0])
      say({ id, type: 'event', event, args: args.filter((a) => typeof a !== 'function') })
    })
  },
  emit({ id, event, args, ack }) {
    const socket = sockets.get(id)
    if (ack === undefined) return socket.emit(event, ...args)
    socket.timeout(60000).emit(event, ...args, (error, ...answer) => say({ id, type: 'ack', ack, args: answer, error: error && error.message }))
  },
  close({ id }) { sockets.get(id).disconnect() },
  connect({ id }) { sockets.get(id).connect() },
  'engine-close'({ id }) { sockets.get(id).io.engine.close() },
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line, reviver)
  ops[message.op](message)
}).on('close', () => process.exit(0))
say({ type: 'ready' })
