import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

import { onTestFinished } from 'vitest'

/** A request as the stand-in for the server got it. */
export interface Seen {
  method: string
  path: string
  headers: IncomingMessage['headers']
  body: any
  port?: number
}

/** An answer of the stand-in; 'cut' closes the connection without one, 'hang' never answers. */
export type Say = 'cut' | 'hang' | { status?: number; headers?: Record<string, string>; body?: unknown }

/** What the server answers to an emit. */
export const emitted = { success: true, id: 'e1', delivered: { sockets: 2 }, notifications: ['n1'] }

/** A stand-in for the server that answers in the order given, the last for ever, and remembers what it was asked. */
export async function standIn(...answers: Say[]): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (part) => (text += part))
    request.on('end', () => {
      seen.push({
        method: request.method!,
        path: request.url!,
        headers: request.headers,
        body: text && JSON.parse(text),
        port: request.socket.remotePort,
      })
      const say = answers[Math.min(seen.length, answers.length) - 1] ?? {}
      if (say === 'cut') return void request.socket.destroy()
      if (say === 'hang') return
      response.writeHead(say.status ?? 202, { 'Content-Type': 'application/json', ...say.headers })
      response.end(typeof say.body === 'string' ? say.body : JSON.stringify(say.body ?? emitted))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}
