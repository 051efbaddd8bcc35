import type { Role, SocketStats } from '../contract.js'

import type { Emitter } from './emitter.js'
import type { CallOptions } from './options.js'
import type { Outcome } from './outcome.js'

/** The module that held the Socket.IO server: what it exported, on the realtime server. */
export interface SocketModule {
  /** Sends any event to every socket of a tenant. Nothing is stored. */
  emitToTenant(tenantId: string, event: string, data?: unknown, options?: CallOptions): Promise<Outcome>
  /** Sends any event to every socket of a user. Nothing is stored. */
  emitToUser(userId: string, event: string, data?: unknown, options?: CallOptions & { tenantId?: string }): Promise<Outcome>
  /** Sends any event to the sockets of a role of a tenant. Nothing is stored. */
  emitToRole(role: Role, tenantId: string, event: string, data?: unknown, options?: CallOptions): Promise<Outcome>
  /** How many users of a tenant are connected, over all nodes; 0 where the server did not say. */
  getConnectedUsers(tenantId: string, options?: CallOptions): Promise<number>
  /** Who is connected, by tenant, over all nodes; nobody where the server did not say. */
  getConnectionStats(options?: CallOptions): Promise<SocketStats>
  /** Does nothing but say once what to do: the realtime server holds the sockets now. */
  initSocketServer(server?: unknown): null
  /** There is no Socket.IO server in this process: null, as before initSocketServer. */
  getSocketServer(): null
}

export function createSocketModule({ emit, stats }: Emitter): SocketModule {
  let told = false
  const tell = (name: string) => {
    if (!told)
      console.warn(
        `realtime: ${name}() does nothing any more. The realtime server holds the sockets: delete the call, and emit with emitToTenant, emitToUser, emitToRole.`,
      )
    told = true
    return null
  }
  return {
    emitToTenant: (tenantId, event, data, call) => emit('tenant', { tenantId, event, data }, call),
    emitToUser(userId, event, data, options) {
      const { tenantId, ...call } = options ?? {} // null of a caller without types
      return emit('user', { userId, tenantId, event, data }, call)
    },
    emitToRole: (role, tenantId, event, data, call) => emit('role', { role, tenantId, event, data }, call),
    getConnectedUsers: async (tenantId, call) => (await stats(call))?.tenants[tenantId]?.users.length ?? 0,
    getConnectionStats: async (call) => (await stats(call)) ?? { totalConnections: 0, tenants: {} },
    initSocketServer: () => tell('initSocketServer'),
    getSocketServer: () => tell('getSocketServer'),
  }
}
