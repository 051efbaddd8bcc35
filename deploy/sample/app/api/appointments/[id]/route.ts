import { getServerSession } from 'next-auth'
import { NextRequest, NextResponse } from 'next/server'

import { authOptions } from '@/lib/auth'
import { query } from '@/lib/db'
import { emit } from '@/lib/realtime'

/** Cancels an appointment and tells the server of it. */
export async function DELETE(_: NextRequest, { params }: { params: { id: string } }) {
  const session = await getServerSession(authOptions)
  if (!session) return NextResponse.json({ error: 'No autenticado' }, { status: 401 })
  const [row] = await query<{ id: string; clientId: string; userId: string }>(
    `UPDATE appointments SET status = 'CANCELLED', "updatedAt" = $3 WHERE id = $1 AND "tenantId" = $2 AND status <> 'CANCELLED'
       RETURNING id, "clientId", "userId"`,
    [params.id, session.user.tenantId, new Date()],
  )
  if (!row) return NextResponse.json({ error: 'Cita no encontrada' }, { status: 404 })
  await emit(
    'appointments/deleted',
    { tenantId: session.user.tenantId, appointmentId: row.id, appointmentData: row, actorId: session.user.id },
    `deleted:${row.id}`,
  )
  return NextResponse.json({ success: true })
}
