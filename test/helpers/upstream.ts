/**
 * A DNS server on loopback that answers as a test wants, well or badly, by UDP, TCP and (given a certificate) TLS on one port
 * number each, and keeps account of what it was asked. What it sends is made by `dns-packet`, not by the code under test.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { type Answer, decode, encode, type Packet } from 'dns-packet'
import { MessageStream } from '../../src/net/message-stream.ts'

/** A query as it came. */
export interface Asked {
  readonly protocol: 'udp' | 'tcp' | 'tls' | 'https'
  readonly packet: Buffer
  /** The port it came from; with TCP it tells connections apart. */
  readonly port: number
  readonly address: string
}

/** What to send for a query: messages in order, none for silence; `close` ends the connection it came on. */
export type Behaviour = (asked: Asked) => readonly (Uint8Array | 'close')[] | Promise<readonly (Uint8Array | 'close')[]>

export interface TestUpstream extends AsyncDisposable {
  /** Of UDP and TCP on 127.0.0.1. */
  readonly port: number
  /** Of TLS; 0 without a certificate. */
  readonly tlsPort: number
  readonly received: Asked[]
  /** May be changed at any time. */
  behaviour: Behaviour
  /** Sends something by UDP to whoever asked. */
  send(message: Uint8Array, to: Asked): void
  /** Resolves when so many queries have come in all. */
  until(count: number): Promise<void>
  /** TCP and TLS connections that are open. */
  readonly connections: ReadonlySet<Socket>
}

export async function testUpstream(behaviour: Behaviour, tls?: TlsOptions): Promise<TestUpstream> {
  const received: Asked[] = []
  const waiting: { count: number; resolve: () => void }[] = []
  const connections = new Set<Socket>()

  async function answer(asked: Asked, send: (reply: Uint8Array | 'close') => void): Promise<void> {
    received.push(asked)
    for (const { count, resolve } of waiting) if (received.length >= count) resolve()
    for (const reply of await upstream.behaviour(asked)) send(reply)
  }

  function accept(protocol: 'tcp' | 'tls', socket: Socket): void {
    connections.add(socket)
    const messages = new MessageStream()
    const { remotePort: port = 0, remoteAddress: address = '' } = socket
    socket.on('close', () => connections.delete(socket))
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      for (const packet of messages.push(chunk)) {
        void answer({ protocol, packet: Buffer.from(packet), port, address }, reply => {
          if (reply === 'close') socket.destroy()
          else socket.write(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 255]), reply]))
        })
      }
    })
  }

  const { tcp, udp, port } = await bound()
  tcp.on('connection', socket => accept('tcp', socket))
  udp.on('message', (packet, from) => {
    void answer({ protocol: 'udp', packet, port: from.port, address: from.address }, reply => {
      if (reply !== 'close') udp.send(reply, from.port, from.address)
    })
  })
  const secure = tls && createTlsServer(tls, socket => accept('tls', socket)).listen(0, '127.0.0.1')
  secure?.on('tlsClientError', () => undefined)
  if (secure) await once(secure, 'listening')

  const upstream: TestUpstream = {
    port,
    tlsPort: secure === undefined ? 0 : (secure.address() as AddressInfo).port,
    received,
    behaviour,
    connections,
    send: (message, { port, address }) => udp.send(message, port, address),
    until(count) {
      if (received.length >= count) return Promise.resolve()
      return new Promise(resolve => waiting.push({ count, resolve }))
    },
    async [Symbol.asyncDispose]() {
      udp.close()
      for (const socket of connections) socket.destroy()
      tcp.close()
      secure?.close()
      await Promise.all([once(udp, 'close'), once(tcp, 'close'), secure && once(secure, 'close')])
    },
  }
  return upstream
}

/** A TCP and a UDP socket with the same port, which takes a few tries where other tests run at the same time. */
async function bound(tries = 20): Promise<{ tcp: Server; udp: UdpSocket; port: number }> {
  const tcp = createServer().listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  const { port } = tcp.address() as AddressInfo
  const udp = createSocket('udp4').bind(port, '127.0.0.1')
  try {
    await once(udp, 'listening')
    return { tcp, udp, port }
  } catch (error) {
    tcp.close()
    udp.close()
    if (tries === 0) throw error
    return bound(tries - 1)
  }
}

/** A reply to a query; answers are `dns-packet`'s, or the addresses of the name that was asked for. */
export function reply(
  asked: Asked,
  answers: readonly (Answer | string)[] = [],
  rest: Packet & { rcode?: number } = {},
): Buffer {
  const query = decode(asked.packet)
  const name = query.questions?.[0]?.name ?? '.'
  const message = encode({
    id: query.id ?? 0,
    type: 'response',
    questions: query.questions ?? [],
    answers: answers.map(each => (typeof each === 'string' ? { type: 'A', name, ttl: 60, data: each } : each)),
    ...rest,
    flags: (rest.flags ?? 0x0080) | ((query.flags ?? 0) & 0x0110),
  })
  message[3]! |= rest.rcode ?? 0
  return message
}

/** Behaviours by name. */
export const silent: Behaviour = () => []
export const answering =
  (...addresses: string[]): Behaviour =>
  asked => [reply(asked, addresses)]
export const failing =
  (rcode: number): Behaviour =>
  asked => [reply(asked, [], { rcode })]
/** TC and no records by UDP, everything by TCP. */
export const truncating =
  (...addresses: string[]): Behaviour =>
  asked => [asked.protocol === 'udp' ? reply(asked, [], { flags: 0x0280 }) : reply(asked, addresses)]

/** A good reply made bad. */
export const spoilt = {
  id: (asked: Asked) => changed(reply(asked, ['192.0.2.66']), message => (message[1]! ^= 1)),
  name: (asked: Asked) => changed(reply(asked, ['192.0.2.66']), message => (message[13]! ^= 1)),
  type: (asked: Asked) => {
    const end = asked.packet.indexOf(0, 12) + 1
    return changed(reply(asked, ['192.0.2.66']), message => (message[end + 1]! ^= 1))
  },
  class: (asked: Asked) => {
    const end = asked.packet.indexOf(0, 12) + 1
    return changed(reply(asked, ['192.0.2.66']), message => (message[end + 3]! ^= 2))
  },
  direction: (asked: Asked) => changed(reply(asked, ['192.0.2.66']), message => (message[2]! &= 0x7f)),
  opcode: (asked: Asked) => changed(reply(asked, ['192.0.2.66']), message => (message[2]! |= 0x20)),
  question: (asked: Asked) => {
    const header = Buffer.from(reply(asked).subarray(0, 12))
    header[5] = 0
    return header
  },
  records: (asked: Asked) => changed(reply(asked, ['192.0.2.66']), message => (message[7] = 9)),
  length: (asked: Asked) => reply(asked).subarray(0, 11),
}

function changed(message: Buffer, change: (message: Buffer) => void): Buffer {
  change(message)
  return message
}
