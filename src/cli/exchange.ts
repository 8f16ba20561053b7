/** One question to one server and its reply, for the command line: no cache, no search list, no second server. */
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import { messageOf, PortolanError } from '../errors.ts'
import { framed, MessageStream } from '../net/message-stream.ts'
import type { Clock } from '../observe/clock.ts'

export interface NameServer {
  /** An IP address or a host's name. */
  readonly host: string
  readonly port: number
}

/** Over UDP, twice this long in all. */
const TIMEOUT_MS = 3_000

/**
 * Sends `query` over UDP, a second time if nothing comes, and resolves to the reply with its id. Rejects with
 * PORTOLAN_QUERY_TIMEOUT or PORTOLAN_QUERY_UNREACHABLE.
 */
export async function askOverUdp(query: Buffer, server: NameServer, clock: Clock): Promise<Buffer> {
  const socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4')
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  let connected = false
  const send = () => {
    if (connected) socket.send(query)
  }
  const timers = [
    clock.after(TIMEOUT_MS, send),
    clock.after(2 * TIMEOUT_MS, () => reject(timeout(server, 'udp', 2 * TIMEOUT_MS))),
  ]
  socket.on('error', error => reject(unreachable(server, 'udp', error)))
  socket.on('message', reply => {
    if (reply.length >= 12 && reply.readUInt16BE() === query.readUInt16BE()) resolve(reply)
  })
  // Connected, so that a closed port is told at once, and nobody else's packets are taken for the reply.
  socket.connect(server.port, server.host, (error?: Error) => {
    if (error) return reject(unreachable(server, 'udp', error))
    connected = true
    send()
  })
  return promise.finally(() => {
    for (const timer of timers) timer.cancel()
    socket.close()
  })
}

/** The same over TCP, once. */
export async function askOverTcp(query: Buffer, server: NameServer, clock: Clock): Promise<Buffer> {
  const socket = connect(server.port, server.host)
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const timer = clock.after(TIMEOUT_MS, () => reject(timeout(server, 'tcp', TIMEOUT_MS)))
  const stream = new MessageStream()
  socket.on('error', error => reject(unreachable(server, 'tcp', error)))
  socket.on('close', () => reject(unreachable(server, 'tcp', new Error('it closed the connection without a reply'))))
  socket.on('data', (chunk: Buffer) => {
    const [reply] = stream.push(chunk)
    if (reply) resolve(reply)
  })
  socket.write(framed(query))
  return promise.finally(() => {
    timer.cancel()
    socket.destroy()
  })
}

function timeout(server: NameServer, protocol: string, ms: number): PortolanError {
  return new PortolanError(
    'PORTOLAN_QUERY_TIMEOUT',
    `no reply from ${serverText(server)} (${protocol}) in ${ms / 1000} s`,
  )
}

function unreachable(server: NameServer, protocol: string, cause: Error): PortolanError {
  const code = 'code' in cause ? cause.code : undefined
  const why = code === 'ECONNREFUSED' ? 'nothing listens there' : messageOf(cause)
  return new PortolanError('PORTOLAN_QUERY_UNREACHABLE', `${serverText(server)} (${protocol}): ${why}`, { cause })
}

/** As dig has it: `10.96.0.10#53`. */
export function serverText({ host, port }: NameServer): string {
  return `${host}#${port}`
}
