/** Sockets, batches and clients of the batched UDP engine, closed when the test ends. Linux on x64 or arm64 only. */
import { createSocket, type RemoteInfo, type SocketOptions } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { BATCH_MEMORY, Batch } from '../../src/net/udp-batch/batch.ts'
import { batchSupport, type Libc } from '../../src/net/udp-batch/libc.ts'
import { ERRNOS } from '../../src/net/udp-batch/outgoing.ts'
import { PinnedMemory } from '../../src/net/udp-batch/pinned-memory.ts'
import { Sender } from '../../src/net/udp-batch/sender.ts'
import { openSocket, type UdpEndpoint, type UdpSocket } from '../../src/net/udp-batch/socket.ts'

interface Teardown {
  teardown(close: () => unknown): void
}

const support = await batchSupport()
if (!support.ok) throw new Error(support.reason)
export const libc: Libc = support.libc

/** Opens a socket; any free port of 127.0.0.1 unless it says otherwise. */
export function open(t: Teardown, endpoint: Partial<UdpEndpoint> = {}, calls = libc): UdpSocket {
  const socket = openSocket(calls, { address: '127.0.0.1', port: 0, ...endpoint })
  t.teardown(() => socket.close())
  return socket
}

export interface TestBatch {
  readonly batch: Batch
  readonly failures: Uint32Array
}

export function testBatch(t: Teardown, calls = libc): TestBatch {
  const memory = new PinnedMemory(libc, BATCH_MEMORY)
  t.teardown(() => memory.free())
  const failures = new Uint32Array(ERRNOS)
  return { batch: new Batch(calls, memory.address, failures), failures }
}

export function testSender(t: Teardown, calls = libc): { readonly sender: Sender; readonly failures: Uint32Array } {
  const failures = new Uint32Array(ERRNOS)
  const sender = new Sender(calls, failures)
  t.teardown(() => sender.close())
  return { sender, failures }
}

/** The errnos that were counted, and how often. */
export function counted(failures: Uint32Array): Record<number, number> {
  return Object.fromEntries([...failures.entries()].filter(([, count]) => count > 0))
}

/** The octets of message `i`, as text. */
export function textOf(batch: Batch, i: number): string {
  const at = batch.slotAt(i)
  return Buffer.from(batch.octets.subarray(at, at + batch.length(i))).toString()
}

/** Receives all that is there, and replies with what was asked. Returns how many were received and sent. */
export function echo(batch: Batch, fd: number): { received: number; sent: number } {
  let received = 0
  let sent = 0
  for (let count = batch.receive(fd, false); count > 0; count = batch.receive(fd, false)) {
    for (let i = 0; i < count; i++) batch.reply(i, batch.length(i))
    received += count
    sent += batch.send(fd)
  }
  return { received, sent }
}

export interface TestClient {
  readonly port: number
  /** Resolves once the kernel has it: on loopback, once it is in the queue of the one it is for. */
  send(octets: string | Uint8Array, port: number, address: string): Promise<void>
  /** The next datagram that arrives or has arrived, and from where. */
  received(): Promise<{ readonly text: string; readonly octets: Buffer; readonly from: RemoteInfo }>
  /** Datagrams that nobody asked for yet. */
  readonly waiting: number
}

/** A client that sends from `address`, or from where the system wants. */
export async function testClient(t: Teardown, address = '127.0.0.1', options: Partial<SocketOptions> = {}) {
  const socket = createSocket({
    type: isIPv6(address.split('%')[0]!) ? 'udp6' : 'udp4',
    recvBufferSize: 4 << 20,
    ...options,
  })
  t.teardown(() => socket.close())
  const queue: { text: string; octets: Buffer; from: RemoteInfo }[] = []
  socket.on('message', (octets, from) => {
    queue.push({ text: octets.toString(), octets, from })
    socket.emit('queued')
  })
  socket.bind(0, address)
  await once(socket, 'listening')
  const client: TestClient = {
    port: socket.address().port,
    send: (octets, port, address) =>
      new Promise((resolve, reject) => {
        socket.send(octets, port, address, error => (error ? reject(error) : resolve()))
      }),
    async received() {
      if (queue.length === 0) await once(socket, 'queued')
      return queue.shift()!
    },
    get waiting() {
      return queue.length
    },
  }
  return client
}
