/** A client's end of a conversation with one name server: a UDP port of its own, or a TCP connection. Who asks sees to time and ids. */
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import { framed, MessageStream } from './message-stream.ts'

export interface QuerySocket {
  /** Resolves once it is open, lost or closed. */
  readonly opened: Promise<void>
  /** Sends at once, or as soon as it can; does nothing once the socket is lost. */
  send(message: Buffer): void
  /** Neither of the functions is called after this. */
  close(): void
}

export interface QuerySocketEvents {
  message(octets: Buffer): void
  /** Nobody listens there (or the way is barred), or a connection ended. Is the last that is heard. */
  lost(why: 'refused' | 'closed', error: Error): void
}

/** A UDP socket that is connected: a closed port is told at once, and nobody else's packets are taken for a reply. */
export function udpQuerySocket(host: string, port: number, { message, lost }: QuerySocketEvents): QuerySocket {
  const socket = createSocket(isIPv6(host.replace(/%.*/, '')) ? 'udp6' : 'udp4')
  const waiting: Buffer[] = []
  const { promise: opened, resolve } = Promise.withResolvers<void>()
  let state: 'connecting' | 'open' | 'closed' = 'connecting'
  const close = () => {
    if (state !== 'closed') socket.close()
    state = 'closed'
    resolve()
  }
  const fail = (error: Error) => {
    if (state === 'closed') return
    close()
    lost('refused', error)
  }
  // A send is told of what became of the one before it, and nobody else then is.
  const send = (octets: Buffer) => socket.send(octets, error => error && fail(error))
  socket.on('message', octets => {
    if (state === 'open') message(octets)
  })
  socket.on('error', fail)
  socket.connect(port, host, (error?: Error) => {
    if (error) return fail(error)
    if (state === 'closed') return
    state = 'open'
    for (const octets of waiting) send(octets)
    resolve()
  })
  return {
    opened,
    send(octets) {
      if (state === 'open') send(octets)
      else if (state === 'connecting') waiting.push(octets)
    },
    close,
  }
}

/** A TCP connection; several queries may be on their way at a time. */
export function tcpQuerySocket(host: string, port: number, { message, lost }: QuerySocketEvents): QuerySocket {
  const socket = connect(port, host)
  const stream = new MessageStream()
  const { promise: opened, resolve } = Promise.withResolvers<void>()
  let connected = false
  let closed = false
  const close = () => {
    closed = true
    socket.destroy()
    resolve()
  }
  const fail = (error: Error) => {
    if (closed) return
    close()
    lost(connected ? 'closed' : 'refused', error)
  }
  socket.once('connect', () => {
    connected = true
    resolve()
  })
  socket.on('data', (chunk: Buffer) => {
    for (const octets of stream.push(chunk)) if (!closed) message(octets)
  })
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('it closed the connection without a reply')))
  return {
    opened,
    send(octets) {
      if (!closed) socket.write(framed(octets))
    },
    close,
  }
}
