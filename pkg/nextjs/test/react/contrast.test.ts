import { readFileSync } from 'node:fs'

import { expect, test } from 'vitest'

const css = readFileSync(`${import.meta.dirname}/../../src/styles.css`, 'utf8')

/** The variables of the block that begins with the selector. */
function variables(selector: string): Record<string, string> {
  const from = css.indexOf(selector)
  return Object.fromEntries(
    [...css.slice(from, css.indexOf('}', from)).matchAll(/--cpr-([\w-]+): ([^;]+);/g)].map(([, name, value]) => [name!, value!]),
  )
}

/** WCAG 2.2, relative luminance and contrast ratio. */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5]
    .map((i) => parseInt(hex.slice(i, i + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
}
function ratio(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x)
  return (high! + 0.05) / (low! + 0.05)
}

const light = variables(':root {')
const dark = variables(":root:not([data-theme='light'], .light) {")

test('the two ways to be dark are one', () => {
  expect(variables(":root[data-theme='dark'],")).toEqual(dark)
})

test.each([
  ['light', light],
  ['dark', dark],
])('texts and signs of the %s colours can be read', (_name, v) => {
  const grounds = ['surface', 'raised', 'unread', 'hover']
  const pairs = [
    ...grounds.flatMap((ground) => ['text', 'muted', 'accent'].map((text) => [text, ground, 4.5] as const)),
    ['on-accent', 'accent', 4.5],
    ['on-danger', 'danger', 4.5],
    ['on-warning', 'warning', 4.5],
    ['control', 'surface', 3],
    ['control', 'raised', 3],
    ['online', 'raised', 3],
    ['away', 'raised', 3],
    ['danger', 'raised', 3],
    ['danger', 'unread', 3],
  ] as const
  const poor = pairs
    .filter(([a, b, least]) => ratio(v[a]!, v[b]!) < least)
    .map(([a, b]) => `${a} on ${b}: ${ratio(v[a]!, v[b]!).toFixed(2)}`)
  expect(poor).toEqual([])
})
