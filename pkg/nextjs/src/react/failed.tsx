'use client'

import { useRealtime } from './realtime.js'

/** That the list could not be loaded, and what to do about it. */
export function LoadFailed({ onRetry }: { onRetry: () => void }) {
  const { texts } = useRealtime()
  return (
    <div className="cpr-failed" role="alert">
      <span>{texts.loadFailed}</span>
      <button type="button" className="cpr-button" onClick={onRetry}>
        {texts.retry}
      </button>
    </div>
  )
}
