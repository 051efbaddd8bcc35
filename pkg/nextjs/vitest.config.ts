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

// One page for all files of a project: a new one for each takes longer than the tests.
const dom = {
  environment: 'jsdom',
  isolate: false,
  include: ['test/react/**/*.test.{ts,tsx}'],
  setupFiles: ['test/react/setup.ts'],
}

export default defineConfig({
  test: {
    // Of a machine that has other things to do as well.
    testTimeout: 60_000,
    projects: [
      { extends: true, test: { name: 'server', environment: 'node', include: ['test/server/**/*.test.ts'] } },
      { extends: true, test: { name: 'react-19', ...dom, env: { REACT: '19' } } },
      {
        extends: true,
        resolve: { alias: Object.fromEntries(react18.map((name) => [name, packageOf(name)])) },
        test: { name: 'react-18', ...dom, env: { REACT: '18' } },
      },
      // Against a real server: run by nextjs_test.go, which says where it is. jsdom's AbortSignal is none for Node's fetch, so that the
      // server part has a project of its own.
      { extends: true, test: { name: 'live-server', environment: 'node', include: ['test/live/**/*.test.ts'] } },
      { extends: true, test: { name: 'prisma', environment: 'node', include: ['prisma/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'live-page',
          environment: 'jsdom',
          include: ['test/live/**/*.test.tsx'],
          setupFiles: ['test/react/setup.ts'],
        },
      },
    ],
  },
})
