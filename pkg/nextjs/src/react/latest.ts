'use client'

import { useEffect, useRef, type RefObject } from 'react'

/** A ref to the value of the latest render, for effects that must not run again because of it. */
export function useLatest<T>(value: T): RefObject<T> {
  const ref = useRef(value)
  useEffect(() => {
    ref.current = value
  })
  return ref
}
