// Builds dist/: the compiler alone, one output file a source file, once as ES modules and once as CommonJS. A bundler would put
// all of ./react into one file: 'use client' would be lost, and an app that uses one hook would carry every component. It checks no
// types: `npm run build` has done that before.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

process.chdir(import.meta.dirname)
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
const compile = (...options) =>
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--noCheck', ...options], { stdio: 'inherit' })

rmSync('dist', { recursive: true, force: true })
compile()
compile('--outDir', 'dist/cjs', '--module', 'commonjs', '--moduleResolution', 'node10')
mkdirSync('dist/cjs', { recursive: true })
writeFileSync('dist/cjs/package.json', '{ "type": "commonjs" }\n') // what is below is not an ES module, whatever the package says
cpSync('src/styles.css', 'dist/styles.css')
