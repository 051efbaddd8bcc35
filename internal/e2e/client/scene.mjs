// What the scenes in a real Chromium share. CHROMIUM is its path.
import { chromium } from 'playwright-core'

const quiet = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

// launch starts Chromium, which asks nobody for anything by itself.
export const launch = (...more) => chromium.launch({ executablePath: process.env.CHROMIUM, args: [...more, ...quiet] })

export function check(ok, what) {
  if (!ok) throw new Error(what)
}

// until asks again and again, for what neither an event nor a page shows.
export async function until(what, ok) {
  for (const end = Date.now() + 60000; !(await ok()); await new Promise((r) => setTimeout(r, 50))) {
    check(Date.now() < end, `waited in vain for ${what}`)
  }
}
