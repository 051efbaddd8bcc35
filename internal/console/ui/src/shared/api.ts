/** A request that the server refused, or that did not reach it (status 0). */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

/** What the demo's own users are told. The operator's page shows the API's words, which are the developer's. */
const said: Record<string, string> = {
  NOT_FOUND: 'Ya no existe, o no es de este negocio',
  FORBIDDEN: 'No tienes permiso',
  CONFLICT: 'Ese día ya no tiene lugar',
  UNAVAILABLE: 'La base de datos no responde; inténtalo de nuevo',
}

/** Asks a route of the console, below /console/api/. What is sent carries the header that only our own pages send. */
export async function ask<T>(path: string, options: { method?: string; token?: string; body?: unknown; signal?: AbortSignal } = {}): Promise<T> {
  const { method = 'GET', token, body, signal } = options
  const headers: Record<string, string> = { 'X-Console': '1' }
  if (token) headers.Authorization = `Bearer ${token}`
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  let answer: Response
  try {
    answer = await fetch(`api/${path}`, {
      method,
      headers,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
      credentials: token ? 'omit' : 'same-origin',
    })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new Refused(0, 'El servidor no responde')
  }
  if (!answer.ok) {
    const problem = (await answer.json().catch(() => null)) as { code?: string; error?: string } | null
    const demo = path.startsWith('demo/') ? said[problem?.code ?? ''] : undefined
    throw new Refused(answer.status, demo ?? problem?.error ?? `Respuesta ${answer.status}`)
  }
  return (await answer.json()) as T
}

export interface Person {
  id: string
  name: string
  role: string
}

export interface House {
  id: string
  name: string
  people: Person[]
}

/** A development sign-in: the server hands out a token, kept in this page's memory alone. */
export interface Session {
  token: string
  expiresAt: string
  me: Person
  tenant: House
}

export const signIn = (userId: string) => ask<Session>('demo/session', { method: 'POST', body: { userId } })

const roles: Record<string, string> = {
  SUPERADMIN: 'Superadministración',
  ADMIN: 'Administración',
  MANAGER: 'Gerencia',
  PROFESSIONAL: 'Profesional',
  RECEPTIONIST: 'Recepción',
}

export const roleName = (role: string) => roles[role] ?? role

export const initials = (name: string) =>
  name
    .split(' ')
    .slice(0, 2)
    .map((word) => word[0])
    .join('')
