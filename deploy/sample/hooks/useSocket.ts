'use client'

import { useSession } from 'next-auth/react'
import { useCallback, useEffect, useRef } from 'react'
import { io, type Socket } from 'socket.io-client'

type Listener = (payload: any) => void

/**
 * The hook in use, oddities included: each call opens a socket of its own, and isConnected is read from a ref, so that
 * connecting re-renders nobody.
 */
export function useSocket() {
  const { data: session, status } = useSession()
  const socket = useRef<Socket | null>(null)
  const connected = useRef(false)

  useEffect(() => {
    if (status !== 'authenticated') return
    const s = io({
      path: '/api/socket',
      addTrailingSlash: false,
      auth: { token: session?.accessToken || '' },
      reconnection: true,
      reconnectionDelay: 1000,
      reconnectionAttempts: 5,
    })
    s.on('connect', () => {
      connected.current = true
    })
    s.on('disconnect', () => {
      connected.current = false
    })
    socket.current = s
    return () => {
      s.disconnect()
      socket.current = null
      connected.current = false
    }
  }, [session, status])

  const on = useCallback((event: string, listener: Listener) => void socket.current?.on(event, listener), [])
  const off = useCallback((event: string, listener: Listener) => void socket.current?.off(event, listener), [])
  const emit = useCallback((event: string, data?: unknown) => {
    if (connected.current) socket.current?.emit(event, data)
  }, [])
  return { isConnected: connected.current, status, on, off, emit }
}
