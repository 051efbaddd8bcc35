/** @type {import('next').NextConfig} */
module.exports = {
  output: 'standalone', // as CitaPlanner is built
  reactStrictMode: false, // two mounts in development would open every socket twice
  // Without the front door, /api/socket can be sent to the server from here; README.md says what that can and cannot do.
  async rewrites() {
    const server = process.env.REALTIME_REWRITE
    return server
      ? [
          { source: '/api/socket', destination: `${server}/api/socket` },
          { source: '/api/socket/:path*', destination: `${server}/api/socket/:path*` },
        ]
      : []
  },
}
