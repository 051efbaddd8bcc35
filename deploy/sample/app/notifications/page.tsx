import { NotificationCenter } from '@/components/NotificationCenter'
import { Shell } from '@/components/Shell'

export default function Page() {
  return (
    <Shell>
      <NotificationCenter />
    </Shell>
  )
}
