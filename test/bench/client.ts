/**
 * The load generator where dnsperf is not installed: Node's own sockets, so it is slower than what it measures and its own delays
 * count as latency. It compares servers with each other; its figures are not dnsperf's.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { rcodeName } from '../../src/wire/types.ts'
import { queryBytes, type TypeName, types } from '../e2e/message.ts'
import { bounds, type Generator, type Load, type LoadOptions } from './load.ts'

const tickMs = 1

export const ownClient: Generator = {
  name: `own client on node:dgram, ${bounds.clients} sockets, ${bounds.waiting} waiting (dnsperf is not installed)`,
  canTcp: false,
  async run({ port, questions, seconds, rate, edns = false, signal }: LoadOptions): Promise<Load> {
    const packets = await packetsOf(questions, edns)
    const limit = (rate === undefined ? bounds.waiting : bounds.waitingAtRate) / bounds.clients
    const tally: Tally = {
      answered: 0,
      lost: 0,
      codes: new Map(),
      latencies: rate === undefined ? undefined : [],
    }
    const clients = await Promise.all(Array.from({ length: bounds.clients }, () => Client.open(port, limit, tally)))
    let asked = 0
    const next = (): Buffer => packets[asked++ % packets.length]!
    const start = performance.now()
    const end = start + seconds * 1000
    try {
      if (rate === undefined)
        for (const client of clients) client.follow(() => (performance.now() < end ? next() : undefined))
      while (performance.now() < end || clients.some(({ waiting }) => waiting > 0)) {
        await sleep(tickMs, undefined, { signal })
        const now = performance.now()
        for (const client of clients) client.giveUp(now - bounds.timeoutSeconds * 1000)
        const due = rate === undefined || now >= end ? 0 : ((now - start) / 1000) * rate
        while (asked < due && clients[asked % clients.length]!.ask(next()));
      }
    } finally {
      for (const client of clients) client.close()
    }
    const { answered, lost, codes, latencies = [] } = tally
    return {
      answered,
      lost,
      perSecond: (answered / (performance.now() - start)) * 1000,
      codes: Object.fromEntries(Array.from(codes, ([code, count]) => [rcodeName(code), count])),
      latencies,
    }
  },
}

interface Tally {
  answered: number
  lost: number
  readonly codes: Map<number, number>
  readonly latencies: number[] | undefined
}

/** One socket and the questions that wait for their answers on it. */
class Client {
  readonly #socket: Socket
  readonly #limit: number
  readonly #tally: Tally
  /** When the question of each id was sent, the oldest first. */
  readonly #sentAt = new Map<number, number>()
  #id = 0
  #next: () => Buffer | undefined = () => undefined

  private constructor(socket: Socket, limit: number, tally: Tally) {
    this.#socket = socket
    this.#limit = limit
    this.#tally = tally
    socket.on('message', packet => this.#receive(packet))
    // A server that is gone answers with ICMP; its questions are lost, and counted as such.
    socket.on('error', () => undefined)
  }

  static async open(port: number, limit: number, tally: Tally): Promise<Client> {
    const socket = createSocket('udp4')
    socket.connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.setRecvBufferSize(1 << 20)
    return new Client(socket, limit, tally)
  }

  get waiting(): number {
    return this.#sentAt.size
  }

  /** Asks what `next` gives as often as answers come, until it gives nothing more. */
  follow(next: () => Buffer | undefined): void {
    this.#next = next
    this.#fill()
  }

  /** Sends a question; false, and nothing is sent, where too many wait. */
  ask(packet: Buffer): boolean {
    if (this.waiting >= this.#limit) return false
    do this.#id = (this.#id + 1) & 0xffff
    while (this.#sentAt.has(this.#id))
    // The question may be asked again while this packet still waits to be sent.
    const sent = Buffer.from(packet)
    sent.writeUInt16BE(this.#id)
    this.#sentAt.set(this.#id, performance.now())
    this.#socket.send(sent)
    return true
  }

  /** Counts as lost what was sent before `moment`. */
  giveUp(moment: number): void {
    for (const [id, sentAt] of this.#sentAt) {
      if (sentAt > moment) break
      this.#sentAt.delete(id)
      this.#tally.lost++
    }
    this.#fill()
  }

  close(): void {
    this.#socket.close()
  }

  #receive(packet: Buffer): void {
    const id = packet.readUInt16BE()
    const sentAt = this.#sentAt.get(id)
    if (sentAt === undefined) return
    const tookMs = performance.now() - sentAt
    const code = packet[3]! & 15
    this.#sentAt.delete(id)
    this.#tally.answered++
    this.#tally.codes.set(code, (this.#tally.codes.get(code) ?? 0) + 1)
    this.#tally.latencies?.push(tookMs)
    this.#fill()
  }

  #fill(): void {
    while (this.waiting < this.#limit) {
      const packet = this.#next()
      if (packet === undefined) return
      this.ask(packet)
    }
  }
}

async function packetsOf(file: string, edns: boolean): Promise<Buffer[]> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
  return lines.map(line => {
    const [name, type] = line.split(' ') as [string, TypeName]
    return queryBytes(name, types[type], edns ? { edns: { size: 4096 } } : {})
  })
}
