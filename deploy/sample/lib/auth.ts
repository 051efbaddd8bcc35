import { compare } from 'bcryptjs'
import type { NextAuthOptions } from 'next-auth'
import CredentialsProvider from 'next-auth/providers/credentials'

import { query } from './db'

type Row = { id: string; email: string; password: string | null; firstName: string; lastName: string; role: string; tenantId: string; branchId: string | null }

export const authOptions: NextAuthOptions = {
  session: { strategy: 'jwt' },
  pages: { signIn: '/login' },
  providers: [
    CredentialsProvider({
      credentials: { email: { type: 'email' }, password: { type: 'password' } },
      async authorize(credentials) {
        if (!credentials?.email || !credentials.password) return null
        const [user] = await query<Row>(
          'SELECT id, email, password, "firstName", "lastName", role, "tenantId", "branchId" FROM users WHERE email = $1 AND "isActive"',
          [credentials.email],
        )
        if (!user?.password || !(await compare(credentials.password, user.password))) return null
        const [tenant] = await query<object>('SELECT * FROM tenants WHERE id = $1', [user.tenantId])
        const [branch] = await query<object>('SELECT * FROM branches WHERE id = $1', [user.branchId])
        return { id: user.id, email: user.email, name: `${user.firstName} ${user.lastName}`, role: user.role, tenantId: user.tenantId, tenant, branch }
      },
    }),
  ],
  callbacks: {
    // As CitaPlanner does, whole rows go into the token, which makes its cookie long.
    jwt: ({ token, user }) => (user ? { ...token, ...user } : token),
    session: ({ session, token }) => ({
      ...session,
      user: { ...session.user, id: String(token.sub), role: String(token.role), tenantId: String(token.tenantId) },
    }),
  },
}
