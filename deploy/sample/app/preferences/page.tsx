import { Preferences } from '@/components/Preferences'
import { Shell } from '@/components/Shell'

export default function Page() {
  return (
    <Shell>
      <Preferences />
    </Shell>
  )
}
