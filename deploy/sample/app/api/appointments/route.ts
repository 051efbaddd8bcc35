import { randomBytes } from 'crypto'

import { getServerSession } from 'next-auth'
import { NextRequest, NextResponse } from 'next/server'

import { authOptions } from '@/lib/auth'
import { query } from '@/lib/db'
import { emit } from '@/lib/realtime'

const refused = (error: string, status: number) => NextResponse.json({ error }, { status })

/** The appointments of a day (UTC), and what the form of a new one offers. */
export async function GET(request: NextRequest) {
  const session = await getServerSession(authOptions)
  if (!session) return refused('No autenticado', 401)
  const date = request.nextUrl.searchParams.get('date') ?? ''
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date)) return refused('Fecha inválida', 400)
  const tenant = session.user.tenantId
  const [appointments, clients, services, professionals] = await Promise.all([
    query(
      `SELECT a.id, a."startTime", a."endTime", a.status, c."firstName" || ' ' || c."lastName" AS "clientName", s.name AS "serviceName",
         s.color, u."firstName" || ' ' || u."lastName" AS "professionalName"
       FROM appointments a JOIN clients c ON c.id = a."clientId" JOIN services s ON s.id = a."serviceId" JOIN users u ON u.id = a."userId"
       WHERE a."tenantId" = $1 AND a."startTime" >= $2::date AND a."startTime" < $2::date + 1 ORDER BY a."startTime", a.id`,
      [tenant, date],
    ),
    query(`SELECT id, "firstName" || ' ' || "lastName" AS name FROM clients WHERE "tenantId" = $1 AND "isActive" ORDER BY name`, [tenant]),
    query('SELECT id, name FROM services WHERE "tenantId" = $1 AND "isActive" ORDER BY name', [tenant]),
    query(
      `SELECT id, "firstName" || ' ' || "lastName" AS name FROM users WHERE "tenantId" = $1 AND "isActive" AND role = 'PROFESSIONAL' ORDER BY name`,
      [tenant],
    ),
  ])
  return NextResponse.json({ appointments, clients, services, professionals })
}

/** Creates an appointment and tells the server of it. */
export async function POST(request: NextRequest) {
  const session = await getServerSession(authOptions)
  if (!session) return refused('No autenticado', 401)
  const body = await request.json().catch(() => null)
  const start = new Date(body?.startTime ?? '')
  if (!body || Number.isNaN(start.getTime())) return refused('Datos incompletos', 400)
  const tenant = session.user.tenantId
  // One statement: what is not of this tenant makes no row.
  const [made] = await query<{ id: string }>(
    `INSERT INTO appointments (id, "startTime", "endTime", status, "isOnline", "notificationsSent", "tenantId", "branchId", "clientId", "serviceId",
         "userId", "createdAt", "updatedAt", "icloudSyncEnabled")
       SELECT $1, $2::timestamp, $2::timestamp + s.duration * interval '1 minute', 'PENDING', false, false, $3, b.id, c.id, s.id, u.id, $7, $7, false
       FROM (SELECT id FROM branches WHERE "tenantId" = $3 ORDER BY id LIMIT 1) b, clients c, services s, users u
       WHERE c.id = $4 AND c."tenantId" = $3 AND s.id = $5 AND s."tenantId" = $3 AND u.id = $6 AND u."tenantId" = $3
       RETURNING id`,
    ['c' + randomBytes(12).toString('hex'), start, tenant, body.clientId, body.serviceId, body.userId, new Date()],
  )
  if (!made) return refused('Cliente, servicio o profesional desconocido', 404)
  await emit('appointments/created', { appointmentId: made.id, tenantId: tenant, actorId: session.user.id }, `created:${made.id}`)
  return NextResponse.json({ success: true, id: made.id }, { status: 201 })
}
