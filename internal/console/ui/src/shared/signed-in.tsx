import { useCallback, useEffect, useState, type ReactNode } from 'react'

import { signIn, type Session } from './api.js'

/** Signs a demo user in and renders what needs the session; says so where that fails. */
export function SignedIn({ userId, children }: { userId: string; children: (session: Session, renew: () => Promise<void>) => ReactNode }) {
  const [session, setSession] = useState<Session | null>(null)
  const [failed, setFailed] = useState('')
  const renew = useCallback(async () => {
    try {
      setSession(await signIn(userId))
      setFailed('')
    } catch (error) {
      setFailed((error as Error).message)
    }
  }, [userId])
  useEffect(() => void renew(), [renew])

  if (session) return children(session, renew)
  return (
    <main className="message">
      {failed ? (
        <>
          <h1>No se pudo iniciar la sesión</h1>
          <p>{failed}</p>
          <button type="button" className="button" onClick={() => void renew()}>
            Intentar de nuevo
          </button>
        </>
      ) : (
        <p>Iniciando sesión…</p>
      )}
    </main>
  )
}
