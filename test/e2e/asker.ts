/** Asks one DNS server on loopback over UDP and TCP, many questions at a time. What the replies mean is left to others. */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'

/** Reply bytes, or how the server kept silent: no reply in time, or the TCP connection ended without one. */
export type Reply = Buffer | 'silence' | 'closed'

export interface AskOptions {
  readonly transport: 'udp' | 'tcp'
  readonly waitMs: number
  /** How often the question is sent in all when no reply comes in time. */
  readonly tries?: number
}

export class Asker implements Disposable {
  readonly #port: number
  readonly #from: string | undefined
  readonly #socket: Socket
  readonly #waiting = new Map<number, (reply: Buffer) => void>()
  #nextId = 1
  #repeats = 0

  private constructor(port: number, from: string | undefined, socket: Socket) {
    this.#port = port
    this.#from = from
    this.#socket = socket
    socket.on('message', bytes => {
      if (bytes.length >= 2) this.#waiting.get(bytes.readUInt16BE(0))?.(bytes)
    })
    // A server that is not there yet answers with ICMP: to the question that is silence.
    socket.on('error', () => undefined)
  }

  /** Asks the server at `port` of 127.0.0.1, from the address `from` where one is given. */
  static async open(port: number, from?: string): Promise<Asker> {
    const socket = createSocket('udp4')
    if (from !== undefined) {
      socket.bind(0, from)
      await once(socket, 'listening')
    }
    socket.connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.setRecvBufferSize(1 << 20)
    return new Asker(port, from, socket)
  }

  /** How many questions were sent again because no reply had come in time. */
  get repeats(): number {
    return this.#repeats
  }

  /** Sends the packet with an id of its own and waits for what comes back with that id. */
  async ask(packet: Buffer, { transport, waitMs, tries = 1 }: AskOptions): Promise<Reply> {
    for (let left = tries; ; ) {
      const reply = await (transport === 'tcp' ? this.#askTcp(packet, waitMs) : this.#askUdp(packet, waitMs))
      if (reply !== 'silence' || --left === 0) return reply
      this.#repeats++
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close()
  }

  #askUdp(packet: Buffer, waitMs: number): Promise<Reply> {
    const id = this.#freeId()
    const { promise, resolve } = Promise.withResolvers<Reply>()
    const timer = setTimeout(resolve, waitMs, 'silence')
    this.#waiting.set(id, resolve)
    this.#socket.send(withId(packet, id))
    return promise.finally(() => {
      clearTimeout(timer)
      this.#waiting.delete(id)
    })
  }

  #askTcp(packet: Buffer, waitMs: number): Promise<Reply> {
    const { promise, resolve } = Promise.withResolvers<Reply>()
    const timer = setTimeout(resolve, waitMs, 'silence')
    const socket = connect({ port: this.#port, host: '127.0.0.1', localAddress: this.#from, noDelay: true })
    let received: Buffer = Buffer.alloc(0)
    socket.on('data', (part: Buffer) => {
      received = Buffer.concat([received, part])
      const length = received.length >= 2 ? received.readUInt16BE(0) : Infinity
      if (received.length >= length + 2) resolve(received.subarray(2, length + 2))
    })
    socket.once('close', () => resolve('closed'))
    socket.on('error', () => resolve('closed'))
    const length = Buffer.alloc(2)
    length.writeUInt16BE(packet.length)
    socket.write(Buffer.concat([length, withId(packet, this.#freeId())]))
    return promise.finally(() => {
      clearTimeout(timer)
      socket.destroy()
    })
  }

  #freeId(): number {
    do this.#nextId = (this.#nextId + 1) & 0xffff
    while (this.#waiting.has(this.#nextId))
    return this.#nextId
  }
}

function withId(packet: Buffer, id: number): Buffer {
  const sent = Buffer.from(packet)
  if (sent.length >= 2) sent.writeUInt16BE(id)
  return sent
}
