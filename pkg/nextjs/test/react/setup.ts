import { cleanup, configure } from '@testing-library/react'
import { version } from 'react'
import { afterEach, beforeEach, expect, vi } from 'vitest'

beforeEach(() => {
  // The projects differ in nothing else: a wrong alias would test the same version twice.
  if (process.env.REACT) expect(version.split('.')[0]).toBe(process.env.REACT)
})

afterEach(() => {
  cleanup()
  vi.useRealTimers()
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

// Whether each element could be seen is not looked at in every query: it takes most of the time, and nothing here is hidden but by not being there.
// What is awaited may take its time on a machine that has other things to do as well.
configure({ defaultHidden: true, asyncUtilTimeout: 30_000 })

// axe asks for one and does without.
HTMLCanvasElement.prototype.getContext = () => null

// jsdom lays nothing out and has no media queries; sonner asks for both.
Object.assign(window, {
  matchMedia: (query: string) => ({
    matches: false,
    media: query,
    addEventListener() {},
    removeEventListener() {},
    addListener() {},
    removeListener() {},
  }),
})
Element.prototype.setPointerCapture ??= () => {}
