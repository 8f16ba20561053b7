/** What every listener must do, whatever the transport. */
import type { Test } from 'tap'
import { PortolanError } from '../../src/errors.ts'
import type { Clock } from '../../src/observe/clock.ts'
import { type Logger, logger } from '../../src/observe/logger.ts'
import { metrics } from '../../src/observe/metrics.ts'
import type { Listener, Respond } from '../../src/server/listener.ts'
import { responder } from '../../src/server/respond.ts'
import { Router } from '../../src/server/router.ts'
import { Rcode } from '../../src/wire/types.ts'
import { testClock } from '../helpers/clock.ts'

/** The other end: sends messages and receives replies in the order they come. */
export interface Client {
  send(...messages: Uint8Array[]): void
  receive(): Promise<Buffer>
  close(): void
}

export interface Subject {
  make(options: { address: string; port: number; clock: Clock; log: Logger }): Listener
  connect(port: number, address?: string): Promise<Client>
}

/** `id IN A`, in the least that a header and a question can be. */
export function question(id: number, bits = 0x0100): Buffer {
  const packet = Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x61, 0, 0, 1, 0, 1])
  packet.writeUInt16BE(id, 0)
  packet.writeUInt16BE(bits, 2)
  return packet
}

/** Sends the request back as a response; silence for responses and for less than a header. */
export const echo: Respond = packet => {
  if (packet.length < 12 || packet[2]! & 0x80) return undefined
  const reply = Buffer.from(packet)
  reply[2]! |= 0x80
  return reply
}

export const idOf = (reply: Buffer) => reply.readUInt16BE(0)

export function recordingLog(): { log: Logger; lines: string[] } {
  const lines: string[] = []
  return { log: logger({ format: 'text', write: line => lines.push(line) }), lines }
}

/** Up to 63 octets that look random and are the same each time. Never the id that the test waits for. */
function garbageOf(seed: number): Buffer {
  let state = seed + 1
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  }
  const garbage = Buffer.from(Array.from({ length: next() & 63 }, next))
  if (garbage.length > 0) garbage[0] = 0
  return garbage
}

export async function listenerContract(t: Test, { make, connect }: Subject): Promise<void> {
  async function listening(t: Test, respond: Respond, clock: Clock = testClock()) {
    const { log, lines } = recordingLog()
    const listener = make({ address: '127.0.0.1', port: 0, clock, log })
    await listener.listen(respond)
    const client = await connect(listener.port)
    t.teardown(async () => {
      client.close()
      await listener.close(0)
    })
    return { listener, client, lines }
  }

  t.test('a query is answered with what respond returns', async t => {
    const { listener, client } = await listening(t, echo)
    t.equal(listener.address, '127.0.0.1')
    client.send(question(7))
    t.strictSame(await client.receive(), question(7, 0x8100))
  })

  t.test('respond is told both ends', async t => {
    let seen: Parameters<Respond>[1] | undefined
    const { listener, client } = await listening(t, (packet, peer) => {
      seen = peer
      return echo(packet, peer)
    })
    client.send(question(1))
    await client.receive()
    t.match(seen, { protocol: listener.protocol, address: '127.0.0.1', localAddress: '127.0.0.1' })
    t.equal(seen?.localPort, listener.port)
    t.type(seen?.port, 'number')
  })

  t.test('silence, and the next query is answered', async t => {
    const { client } = await listening(t, echo)
    client.send(question(1, 0x8100), Buffer.alloc(0), question(2))
    t.equal(idOf(await client.receive()), 2)
  })

  t.test('answers that take time, each as it is ready', async t => {
    const second = Promise.withResolvers<void>()
    const { client } = await listening(t, async (packet, peer) => {
      if (packet[1] === 1) await second.promise
      return echo(packet, peer)
    })
    client.send(question(1), question(2))
    t.equal(idOf(await client.receive()), 2)
    second.resolve()
    t.equal(idOf(await client.receive()), 1)
  })

  t.test('silence that takes time', async t => {
    const { client } = await listening(t, async (packet, peer) => echo(packet, peer))
    client.send(question(1, 0x8100), question(2))
    t.equal(idOf(await client.receive()), 2)
  })

  t.test('close lets what is in flight be answered', async t => {
    const asked = Promise.withResolvers<void>()
    const made = Promise.withResolvers<void>()
    const { listener, client } = await listening(t, async (packet, peer) => {
      asked.resolve()
      await made.promise
      return echo(packet, peer)
    })
    client.send(question(9))
    await asked.promise
    const closed = listener.close(5000)
    made.resolve()
    t.equal(idOf(await client.receive()), 9)
    await closed
    await t.resolves(listener.close(5000), 'twice is safe')
  })

  t.test('close does not wait longer than it was told', async t => {
    const clock = testClock()
    const asked = Promise.withResolvers<void>()
    const late = Promise.withResolvers<Buffer>()
    const { listener, client } = await listening(
      t,
      () => {
        asked.resolve()
        return late.promise
      },
      clock,
    )
    client.send(question(1))
    await asked.promise
    const closed = listener.close(5000)
    clock.advance(5000)
    await closed
    late.resolve(question(1))
    await late.promise
    const next = make({ address: '127.0.0.1', port: listener.port, clock, log: recordingLog().log })
    await t.resolves(next.listen(echo), 'the port is free again')
    await next.close(0)
  })

  t.test('a port in use is an error that says what to do', async t => {
    const { listener } = await listening(t, echo)
    const other = make({ address: '127.0.0.1', port: listener.port, clock: testClock(), log: recordingLog().log })
    const error = await other.listen(echo).then(
      () => undefined,
      (error: unknown) => error,
    )
    t.ok(error instanceof PortolanError)
    const where = `127.0.0.1:${listener.port}/${listener.protocol}`
    t.match(error, { code: 'PORTOLAN_LISTEN', message: `cannot listen on ${where}: the port is in use` })
    t.match(error, { message: /-dns\.port/ })
    await other.close(0)
  })

  t.test('all addresses: IPv4 and IPv6 on one port', async t => {
    const { log } = recordingLog()
    const listener = make({ address: '', port: 0, clock: testClock(), log })
    await listener.listen(echo)
    t.teardown(() => listener.close(0))
    const addresses = listener.address === '::' ? ['127.0.0.1', '::1'] : ['127.0.0.1']
    for (const address of addresses) {
      const client = await connect(listener.port, address)
      client.send(question(3))
      t.equal(idOf(await client.receive()), 3, address)
      client.close()
    }
  })

  t.test('garbage does no harm', async t => {
    const { log, lines } = recordingLog()
    const router = new Router([], () => undefined)
    const panics = metrics().counter('panics', 'help', []).of()
    const { client } = await listening(t, responder({ router: () => router, log, panics }))
    for (let round = 0; round < 20; round++) {
      const garbage = Array.from({ length: 50 }, (_, i) => garbageOf(round * 50 + i))
      client.send(...garbage, question(0xbeef))
      let reply = await client.receive()
      while (idOf(reply) !== 0xbeef) reply = await client.receive()
      t.equal(reply[3]! & 15, Rcode.REFUSED)
    }
    t.strictSame(lines, [])
  })
}
