import type { ReactNode } from 'react'

const icon = (content: ReactNode, size = 18) => (
  <svg
    aria-hidden
    width={size}
    height={size}
    viewBox="0 0 24 24"
    fill="none"
    stroke="currentColor"
    strokeWidth={2}
    strokeLinecap="round"
    strokeLinejoin="round"
  >
    {content}
  </svg>
)

export const Sun = () =>
  icon(
    <>
      <circle cx="12" cy="12" r="4" />
      <path d="M12 2v2m0 16v2M4.9 4.9l1.4 1.4m11.4 11.4 1.4 1.4M2 12h2m16 0h2M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4" />
    </>,
  )
export const Moon = () => icon(<path d="M20.5 14A8.5 8.5 0 0 1 10 3.5 8.5 8.5 0 1 0 20.5 14Z" />)
export const Left = () => icon(<path d="m15 18-6-6 6-6" />)
export const Right = () => icon(<path d="m9 18 6-6-6-6" />)
export const Plus = () => icon(<path d="M12 5v14M5 12h14" />, 16)
export const Eye = () =>
  icon(
    <>
      <path d="M2 12s3.5-7 10-7 10 7 10 7-3.5 7-10 7-10-7-10-7Z" />
      <circle cx="12" cy="12" r="3" />
    </>,
    14,
  )
export const Pencil = () => icon(<path d="M4 20h4L19 9l-4-4L4 16v4Z" />, 12)
export const Pulse = () => icon(<path d="M3 12h4l3-7 4 14 3-7h4" />)
export const Up = () => icon(<path d="M12 19V5m-6 6 6-6 6 6" />, 12)
export const Down = () => icon(<path d="M12 5v14m6-6-6 6-6-6" />, 12)

export const Logo = () => (
  <svg aria-hidden width={28} height={28} viewBox="0 0 32 32">
    <rect width="32" height="32" rx="8" fill="#4338ca" />
    <path d="M9 8v3M23 8v3M7 13h18" stroke="#c7d2fe" strokeWidth="2" strokeLinecap="round" />
    <path
      d="M6 21h5l2.5-5 4 9 2.5-6 1.5 2H26"
      fill="none"
      stroke="#fff"
      strokeWidth="2.2"
      strokeLinecap="round"
      strokeLinejoin="round"
    />
  </svg>
)
