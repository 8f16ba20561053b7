/**
 * A DNS server over HTTPS on loopback that answers as a test wants, well or badly, and keeps account of what it was asked. Its
 * certificate is that of the fixtures.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import {
  createSecureServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { type Asked, reply } from './upstream.ts'

export interface AskedByHttps extends Asked {
  readonly headers: IncomingHttpHeaders
  readonly stream: ServerHttp2Stream
  readonly session: ServerHttp2Session
}

export type HttpsBehaviour = (asked: AskedByHttps) => void

export interface HttpsTestUpstream extends AsyncDisposable {
  /** On 127.0.0.1. */
  readonly port: number
  readonly received: AskedByHttps[]
  readonly sessions: ReadonlySet<ServerHttp2Session>
  /** By the port that they came from, also those that have ended. */
  readonly connections: ReadonlyMap<number, TLSSocket>
  /** May be changed at any time. */
  behaviour: HttpsBehaviour
  /** Resolves when so many queries have come in all. */
  until(count: number): Promise<void>
}

const fixture = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url))

export async function httpsTestUpstream(behaviour: HttpsBehaviour, settings?: Settings): Promise<HttpsTestUpstream> {
  const received: AskedByHttps[] = []
  const sessions = new Set<ServerHttp2Session>()
  const connections = new Map<number, TLSSocket>()
  const waiting: { count: number; resolve: () => void }[] = []
  const server = createSecureServer({
    cert: fixture('server.crt'),
    key: fixture('server.key'),
    settings: settings ?? {},
  })
  server.on('secureConnection', socket => connections.set(socket.remotePort ?? 0, socket))
  server.on('session', session => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
    session.on('error', () => session.destroy())
  })
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const chunks: Buffer[] = []
    stream.on('error', () => stream.destroy())
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => stream.aborted || answer(stream, headers, Buffer.concat(chunks)))
  })

  function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body: Buffer): void {
    const session = stream.session as ServerHttp2Session | undefined
    if (session === undefined) return
    const sent = new URL(`https://host${headers[':path']}`).searchParams.get('dns')
    const packet = headers[':method'] === 'GET' ? Buffer.from(sent ?? '', 'base64url') : body
    const { remotePort: port = 0, remoteAddress: address = '' } = session.socket
    received.push({ protocol: 'https', packet, port, address, headers, stream, session })
    for (const { count, resolve } of waiting) if (received.length >= count) resolve()
    upstream.behaviour(received.at(-1)!)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const upstream: HttpsTestUpstream = {
    port: (server.address() as AddressInfo).port,
    received,
    sessions,
    connections,
    behaviour,
    until(count) {
      if (received.length >= count) return Promise.resolve()
      return new Promise(resolve => waiting.push({ count, resolve }))
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return upstream
}

/** Sends a reply of HTTP, a good one unless told otherwise. */
export function send({ stream }: AskedByHttps, body: Uint8Array | string, headers: OutgoingHttpHeaders = {}): void {
  stream.respond({ ':status': 200, 'content-type': 'application/dns-message', ...headers })
  stream.end(body)
}

/** Behaviours by name. */
export const answeringByHttps =
  (...addresses: string[]): HttpsBehaviour =>
  asked =>
    send(asked, reply(asked, addresses))
export const silentByHttps: HttpsBehaviour = () => undefined
