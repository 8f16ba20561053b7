/**
 * A client in a thread of its own, which goes on while the test's thread is busy: keeps some queries in flight, and counts what
 * became of them. Started by `load`, it is also the module that its worker runs.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

export interface LoadOptions {
  readonly port: number
  readonly address?: string
  /** Asked for in turn; the first two octets are replaced by an id below 0x8000: higher ones may mean something to who answers. */
  readonly packets: readonly Uint8Array[]
  /** Sockets, each with as many queries in flight. */
  readonly clients?: number
  readonly inFlight?: number
  /** Queries that are not answered for so long are lost. */
  readonly patienceMs?: number
}

export interface LoadResult {
  readonly sent: number
  readonly answered: number
  /** Replies with another response code than NOERROR. */
  readonly failed: number
  /** Replies that belong to no query: empty, doubled, foreign. */
  readonly strange: number
  /** The longest that a query took, and the longest between two replies. */
  readonly slowestMs: number
  readonly longestGapMs: number
}

export interface Load {
  /** How many replies there are by now; may be read while the test's own thread is busy. */
  answered(): number
  /** Sends no more, waits for what is in flight, and ends. */
  stop(): Promise<LoadResult>
}

interface Data extends LoadOptions {
  readonly counter: Int32Array
}

export async function load(options: LoadOptions): Promise<Load> {
  const counter = new Int32Array(new SharedArrayBuffer(4))
  const data: Data = { ...options, counter }
  const worker = new Worker(new URL(import.meta.url), { workerData: data, execArgv: [] })
  await once(worker, 'message')
  return {
    answered: () => Atomics.load(counter, 0),
    async stop() {
      // Both from before: the last message and the end may come together.
      const [result, ended] = [once(worker, 'message'), once(worker, 'exit')]
      worker.postMessage('stop')
      const [told] = (await result) as [LoadResult]
      await ended
      return told
    },
  }
}

async function run({ port, address = '127.0.0.1', packets, counter, ...rest }: Data): Promise<void> {
  const { clients = 4, inFlight = 8, patienceMs = 3_000 } = rest
  let sent = 0
  let answered = 0
  let failed = 0
  let strange = 0
  let slowestMs = 0
  let longestGapMs = 0
  let lastReply = performance.now()
  let sending = true
  const sockets = await Promise.all(
    Array.from({ length: clients }, async () => {
      const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
      const pending = new Map<number, number>()
      let id = 0
      const ask = () => {
        const packet = Buffer.from(packets[sent++ % packets.length]!)
        id = (id + 1) & 0x7fff
        packet.writeUInt16BE(id, 0)
        pending.set(id, performance.now())
        socket.send(packet)
      }
      socket.on('message', reply => {
        const now = performance.now()
        const at = reply.length >= 12 ? pending.get(reply.readUInt16BE(0)) : undefined
        if (at === undefined) {
          strange++
          return
        }
        pending.delete(reply.readUInt16BE(0))
        slowestMs = Math.max(slowestMs, now - at)
        longestGapMs = Math.max(longestGapMs, now - lastReply)
        lastReply = now
        if ((reply[3]! & 15) !== 0) failed++
        answered++
        Atomics.add(counter, 0, 1)
        if (sending) ask()
      })
      // A port that was closed is told of by ICMP; the query then counts as lost.
      socket.on('error', () => undefined)
      socket.connect(port, address)
      await once(socket, 'connect')
      for (let i = 0; i < inFlight; i++) ask()
      return { socket, pending }
    }),
  )
  parentPort!.postMessage('started')
  await once(parentPort!, 'message')
  sending = false
  const until = performance.now() + patienceMs
  while (sockets.some(({ pending }) => pending.size > 0) && performance.now() < until) {
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  for (const { socket } of sockets) socket.close()
  const result: LoadResult = { sent, answered, failed, strange, slowestMs, longestGapMs }
  parentPort!.postMessage(result)
  parentPort!.unref()
}

if (!isMainThread && workerData?.counter instanceof Int32Array) await run(workerData as Data)
