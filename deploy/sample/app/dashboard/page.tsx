import { Calendar } from '@/components/Calendar'
import { Shell } from '@/components/Shell'

export default function Page() {
  return (
    <Shell>
      <Calendar />
    </Shell>
  )
}
