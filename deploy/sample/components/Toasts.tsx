'use client'

import { useEffect } from 'react'
import { toast, Toaster } from 'sonner'

import { useSocket } from '@/hooks/useSocket'
import { useNotifications } from '@/store/notifications'

/** Shows each notification as it comes; over a socket of its own, attached as the provider's. */
export function Toasts() {
  const { isConnected, on, off } = useSocket()
  useNotifications((s) => s.items) // what re-renders it

  useEffect(() => {
    if (!isConnected) return
    const show = (n: any) => {
      const body = { id: n.id, description: n.data?.description, duration: 8000 }
      if (n.priority === 'urgent') toast.error(n.message, body)
      else toast(n.message, body)
    }
    on('notification:new', show)
    return () => off('notification:new', show)
  }, [isConnected, on, off])

  return <Toaster position="bottom-right" closeButton />
}
