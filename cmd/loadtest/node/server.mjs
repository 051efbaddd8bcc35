// The Node Socket.IO server that make bench compares with: sign-in, rooms, handlers and emit endpoints as in the app's old
// server.js, with pg in Prisma's place, which is faster, and the session key derived once, which NextAuth does for every token.
import { createServer } from 'node:http'
import { randomUUID } from 'node:crypto'
import hkdf from '@panva/hkdf'
import { jwtDecrypt } from 'jose'
import pg from 'pg'
import { Server } from 'socket.io'

const { PORT, DATABASE_URL, NEXTAUTH_SECRET, REALTIME_API_KEY } = process.env
const secret = await hkdf('sha256', NEXTAUTH_SECRET, '', 'NextAuth.js Generated Encryption Key', 32)
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 })
const online = new Map() // user id → number of sockets
const tenants = new Map() // tenant id → user ids that are online

const http = createServer(answer)
const io = new Server(http, { path: '/api/socket', addTrailingSlash: false, pingInterval: 25000, pingTimeout: 20000 })

function sessionToken(socket) {
  if (socket.handshake.auth?.token) return socket.handshake.auth.token
  return /next-auth\.session-token=([^;]+)/.exec(socket.handshake.headers.cookie ?? '')?.[1]
}

async function account(id) {
  const { rows } = await pool.query({
    name: 'account',
    text: `SELECT u.id, u.email, u.role, u."tenantId" FROM users u JOIN tenants t ON t.id = u."tenantId"
           WHERE u.id = $1 AND u."isActive" AND t."isActive"`,
    values: [id],
  })
  return rows[0]
}

io.use(async (socket, next) => {
  const token = sessionToken(socket)
  if (!token) return next(new Error('Authentication token required'))
  try {
    const { payload } = await jwtDecrypt(token, secret, { clockTolerance: 15 })
    socket.data = await account(payload.sub)
    next(socket.data ? undefined : new Error('User not found or inactive'))
  } catch {
    next(new Error('Invalid token'))
  }
})

io.on('connection', (socket) => {
  const { id: userId, tenantId, role, email } = socket.data
  const tenant = `tenant:${tenantId}`
  const now = () => new Date().toISOString()
  socket.join([tenant, `user:${userId}`, `role:${role}:${tenantId}`])
  socket.emit('connection:success', { userId, tenantId, role, timestamp: now() })
  const sockets = (online.get(userId) ?? 0) + 1
  online.set(userId, sockets)
  const here = tenants.get(tenantId) ?? new Map()
  tenants.set(tenantId, here)
  if (sockets === 1) {
    here.set(userId, { userId, status: 'online', since: now() })
    socket.to(tenant).emit('user:online', { userId, email, timestamp: now() })
  }
  socket.emit('presence:state', { users: [...here.values()] })
  socket.on('presence:update', (status, ack) => {
    socket.to(tenant).emit('user:presence', { userId, status, timestamp: now() })
    ack?.({ success: true })
  })
  socket.on('disconnect', () => {
    const left = online.get(userId) - 1
    if (left > 0) return online.set(userId, left)
    online.delete(userId)
    here.delete(userId)
    io.to(tenant).emit('user:offline', { userId, timestamp: now() })
  })
})

const emits = {
  '/api/emit/tenant': async ({ tenantId, event, data }) => void io.to(`tenant:${tenantId}`).emit(event, data),
  '/api/emit/user': async ({ userId, event, data }) => void io.to(`user:${userId}`).emit(event, data),
  '/api/emit/notification': async ({ tenantId, userId, type, message, data }) => {
    const to = await account(userId)
    if (to?.tenantId !== tenantId) throw new Error('no such user')
    const id = randomUUID()
    const metadata = JSON.stringify({ eventType: type, eventData: data ?? null, priority: 'medium' })
    const { rows } = await pool.query({
      name: 'insert',
      text: `INSERT INTO notification_logs (id, type, channel, "recipientId", "recipientName", "recipientContact", message, status,
             "sentAt", metadata, "tenantId", "userId", "updatedAt")
             VALUES ($1, (enum_range(NULL::"NotificationType"))[1], (enum_range(NULL::"NotificationChannel"))[1], $2, $3, $3, $4,
             'SENT', now(), $5, $6, $2, now()) RETURNING "createdAt"`,
      values: [id, userId, to.email, message, metadata, tenantId],
    })
    io.to(`user:${userId}`).emit('notification:new',
      { id, type, message, data, userId, tenantId, createdAt: rows[0].createdAt, priority: 'medium' })
    return [id]
  },
}

function answer(req, res) {
  const reply = (status, body) => res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
  if (req.url === '/healthz') return reply(200, {})
  const emit = emits[req.url]
  if (!emit || req.headers.authorization !== `Bearer ${REALTIME_API_KEY}`) return reply(404, {})
  const chunks = []
  req.on('data', (c) => chunks.push(c)).on('end', async () => {
    try {
      const notifications = await emit(JSON.parse(Buffer.concat(chunks)))
      reply(202, { success: true, notifications })
    } catch (err) {
      reply(400, { error: String(err) })
    }
  })
}

http.listen(Number(PORT), '127.0.0.1')
