import 'next-auth'

declare module 'next-auth' {
  interface Session {
    accessToken?: string // never set: the session cookie signs the socket in
    user: { id: string; name: string; email: string; role: string; tenantId: string }
  }
}
