// Bundles what a page imports from the package that is installed in a folder, and looks at what came along.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { build } from 'vite'

const root = process.argv[2]

/** The package's own modules in a bundle of the source, and the packages that it still imports. */
async function bundle(source) {
  const entry = join(root, 'entry.mjs')
  writeFileSync(entry, source)
  const external = (id) => !/^[./]/.test(id) && !id.startsWith('@citaplanner/')
  const { output } = await build({
    root,
    logLevel: 'error',
    configFile: false,
    build: { write: false, minify: false, rolldownOptions: { input: entry, external, preserveEntrySignatures: 'strict' } },
  })
  const chunks = output.filter((o) => o.type === 'chunk')
  const modules = chunks.flatMap((c) => Object.entries(c.modules).filter(([, m]) => m.renderedLength > 0))
  return { modules: modules.map(([id]) => id), imports: chunks.flatMap((c) => c.imports).sort() }
}
const has = (modules, name) => modules.some((id) => id.includes(`/${name}.js`))

const hook = await bundle(`export { useSocket } from '@citaplanner/realtime/react'`)
assert.deepEqual(hook.imports, ['react', 'react/jsx-runtime', 'socket.io-client', 'zustand', 'zustand/vanilla'])
assert.ok(!has(hook.modules, 'bell') && !has(hook.modules, 'inbox'))

const bell = await bundle(`export { NotificationBell } from '@citaplanner/realtime/react'`)
assert.ok(has(bell.modules, 'bell'))
for (const unused of ['center', 'preferences', 'presence', 'toasts'])
  assert.ok(!has(bell.modules, unused), `NotificationBell brings ${unused} along`)
assert.ok(!bell.imports.includes('sonner'))

const server = await bundle(`export { emitToTenant } from '@citaplanner/realtime/server'`)
assert.deepEqual(server.imports, [], 'the server part has no dependencies')
