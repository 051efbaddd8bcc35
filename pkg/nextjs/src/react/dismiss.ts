'use client'

import { useEffect, useRef, type RefObject } from 'react'

import { useLatest } from './latest.js'

/**
 * Closes what is open at a click elsewhere, when the focus moves elsewhere, and with Escape, which gives the focus back to the
 * button. root goes around both.
 */
export function useDismiss(
  open: boolean,
  close: () => void,
): { root: RefObject<HTMLDivElement | null>; button: RefObject<HTMLButtonElement | null> } {
  const root = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const latest = useLatest(close)
  useEffect(() => {
    if (!open) return
    const elsewhere = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) latest.current()
    }
    const escape = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return
      latest.current()
      button.current?.focus()
    }
    document.addEventListener('pointerdown', elsewhere)
    document.addEventListener('focusin', elsewhere)
    document.addEventListener('keydown', escape)
    return () => {
      document.removeEventListener('pointerdown', elsewhere)
      document.removeEventListener('focusin', elsewhere)
      document.removeEventListener('keydown', escape)
    }
  }, [open, latest])
  return { root, button }
}
