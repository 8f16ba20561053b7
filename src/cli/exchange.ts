/** One question to one server and its reply, for the command line: no cache, no search list, no second server. */
import { messageOf, PortolanError } from '../errors.ts'
import { tcpQuerySocket, udpQuerySocket } from '../net/query-socket.ts'
import type { Clock } from '../observe/clock.ts'

export interface NameServer {
  /** An IP address or a host's name. */
  readonly host: string
  readonly port: number
}

/** How long is waited for a reply. */
const PATIENCE_MS = 3_000

/**
 * Sends `query` over UDP, a second time if nothing comes for `patienceMs`, and resolves to the reply with its id. Rejects with
 * PORTOLAN_QUERY_TIMEOUT after twice that time, or with PORTOLAN_QUERY_UNREACHABLE.
 */
export async function askOverUdp(
  query: Buffer,
  server: NameServer,
  clock: Clock,
  patienceMs = PATIENCE_MS,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const socket = udpQuerySocket(server.host, server.port, {
    message(reply) {
      if (reply.length >= 12 && reply.readUInt16BE() === query.readUInt16BE()) resolve(reply)
    },
    lost: (_, error) => reject(unreachable(server, 'udp', error)),
  })
  socket.send(query)
  const timers = [
    clock.after(patienceMs, () => socket.send(query)),
    clock.after(2 * patienceMs, () => reject(timeout(server, 'udp', 2 * patienceMs))),
  ]
  return promise.finally(() => {
    for (const timer of timers) timer.cancel()
    socket.close()
  })
}

/** The same over TCP, once. */
export async function askOverTcp(
  query: Buffer,
  server: NameServer,
  clock: Clock,
  patienceMs = PATIENCE_MS,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const socket = tcpQuerySocket(server.host, server.port, {
    message: resolve,
    lost: (_, error) => reject(unreachable(server, 'tcp', error)),
  })
  socket.send(query)
  const timer = clock.after(patienceMs, () => reject(timeout(server, 'tcp', patienceMs)))
  return promise.finally(() => {
    timer.cancel()
    socket.close()
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
