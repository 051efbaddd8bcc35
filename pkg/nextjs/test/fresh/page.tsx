// As a page uses it.
import {
  EditingGuard,
  NotificationBell,
  NotificationProvider,
  RealtimeProvider,
  useCalendar,
  useRealtimeEvent,
  useSocket,
} from '@citaplanner/realtime/react'
import { useEffect } from 'react'

function Day() {
  const { isConnected, status, on, off, emit } = useSocket()
  useEffect(() => {
    const listener = (payload: any) => console.log(payload)
    on('commission:earned', listener)
    return () => off('commission:earned', listener)
  }, [status, on, off])
  useRealtimeEvent('appointment:rescheduled', ({ newTime }) => emit('calendar:viewing', { date: newTime.start, viewType: 'day' }))
  const { data } = useCalendar({
    date: '2026-03-02',
    viewType: 'day',
    load: async ({ signal }) => ({ ids: [String(signal.aborted)] }),
  })
  return <p>{isConnected && data?.ids.join()}</p>
}

export default function Page() {
  return (
    <RealtimeProvider session={{ status: 'authenticated' }} locale="es" names={{ u1: 'Ana' }}>
      <NotificationProvider events={['appointment:created']}>
        <NotificationBell centerHref="/notifications" />
        <EditingGuard appointmentId="a1" block>
          <Day />
        </EditingGuard>
      </NotificationProvider>
    </RealtimeProvider>
  )
}
