import { defineConfig } from 'vitest/config'

const packageOf = (name: string) => `${import.meta.dirname}/react18/node_modules/${name}`

/** What renders, in the versions that ./react18 holds; what they import themselves is found there as well. */
const react18 = [
  'react',
  'react-dom',
  '@testing-library/react',
  '@testing-library/dom',
  '@testing-library/user-event',
  'sonner',
  'lucide-react',
  'zustand',
]

const dom = { environment: 'jsdom', include: ['test/react/**/*.test.{ts,tsx}'], setupFiles: ['test/react/setup.ts'] }

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'server', environment: 'node', include: ['test/server/**/*.test.ts'] } },
      { test: { name: 'react-19', ...dom, env: { REACT: '19' } } },
      {
        resolve: { alias: Object.fromEntries(react18.map((name) => [name, packageOf(name)])) },
        test: { name: 'react-18', ...dom, env: { REACT: '18' } },
      },
      // Against a real server: run by nextjs_test.go, which says where it is.
      {
        test: {
          name: 'live',
          environment: 'jsdom',
          include: ['test/live/**/*.test.{ts,tsx}'],
          setupFiles: ['test/react/setup.ts'],
        },
      },
    ],
  },
})
