// emitInTransaction in $transaction of a real Prisma Client on a real PostgreSQL: run by nextjs_test.go, which looks at what was committed.
import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from '@prisma/client'
import { afterAll, expect, test } from 'vitest'
import { emitInTransaction } from '../src/server/index.js'

const prisma = new PrismaClient({
  adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL }),
  transactionOptions: { maxWait: 60_000, timeout: 60_000 }, // of a busy machine; Prisma's own are 2 and 5 s
})
afterAll(() => prisma.$disconnect())

const rename = (tx: Pick<PrismaClient, 'tenant'>, name: string) => tx.tenant.update({ where: { id: 'tenant-a' }, data: { name } })
const refresh = (reason: string) => ({ tenantId: 'tenant-a', reason })

test('what is committed is emitted, and answers its id', async () => {
  const id = await prisma.$transaction(async (tx) => {
    await rename(tx, 'committed')
    return emitInTransaction(tx, 'calendar/refresh', refresh(`it's "committed" ñ $1`))
  })
  expect(id).toMatch(/^\d+$/)
})

test('what is rolled back is not', async () => {
  const rolledBack = prisma.$transaction(async (tx) => {
    await rename(tx, 'rolled back')
    await emitInTransaction(tx, 'calendar/refresh', refresh('rolled back'))
    throw new Error('changed my mind')
  })
  await expect(rolledBack).rejects.toThrow('changed my mind')
})

test('what the database refuses is an error, and takes the change back', async () => {
  const refused = prisma.$transaction(async (tx) => {
    await rename(tx, 'refused')
    await emitInTransaction(tx, 'appointments/created', { tenantId: 'tenant-a' } as never)
  })
  await expect(refused).rejects.toThrow('22023')
})
