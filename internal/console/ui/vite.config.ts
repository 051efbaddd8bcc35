import react from '@vitejs/plugin-react'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const server = 'http://localhost:3000' // of `npm run dev`

// The same sources and lock files make the same bytes: console_test.go compares what is built with ../dist.
export default defineConfig({
  base: './',
  plugins: [react()],
  resolve: {
    alias: {
      '@citaplanner/realtime/react': here('../../../pkg/nextjs/src/react/index.ts'),
      '@citaplanner/realtime/styles.css': here('../../../pkg/nextjs/src/styles.css'),
    },
    dedupe: ['react', 'react-dom'],
  },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: ['index.html', 'pane.html', 'operator.html'].map((page) => here(page)) },
  },
  server: {
    fs: { allow: ['../../..'] },
    proxy: { '/console/api': server, '/api': { target: server, ws: true } },
  },
})
