import { Pool, defaults, types } from 'pg'

// Prisma's timestamp columns hold UTC without saying so.
types.setTypeParser(types.builtins.TIMESTAMP, (text) => new Date(text.replace(' ', 'T') + 'Z'))
defaults.parseInputDatesAsUTC = true

const kept = globalThis as { pool?: Pool }

function pool(): Pool {
  // Prisma's address may carry parameters that this driver does not know.
  kept.pool ??= new Pool({ connectionString: (process.env.DATABASE_URL ?? '').split('?')[0], max: 5 })
  return kept.pool
}

export async function query<T>(text: string, values: unknown[] = []): Promise<T[]> {
  const result = await pool().query(text, values)
  return result.rows as T[]
}
