import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

import console from '../vite.config.js'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The page of both.tsx, built by internal/e2e with --outDir. */
export default defineConfig({
  ...console,
  root: here('.'),
  publicDir: false,
  build: { ...console.build, rolldownOptions: { input: here('both.html') } },
})
