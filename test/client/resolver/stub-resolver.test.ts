import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { AUTHORITATIVE_ANSWER, decode, encode, type Packet, TRUNCATED_RESPONSE } from 'dns-packet'
import t, { type Test } from 'tap'
import { walkOf } from '../../../src/client/resolver/rehearsal.ts'
import { resolverConfig } from '../../../src/client/resolver/resolver-config.ts'
import { perform } from '../../../src/client/resolver/stub-resolver.ts'
import type { AddressType } from '../../../src/client/resolver/walk.ts'
import { systemClock } from '../../../src/observe/clock.ts'
import type { Respond } from '../../../src/server/listener.ts'
import { tcpListener } from '../../../src/server/tcp.ts'
import { udpListener } from '../../../src/server/udp.ts'
import { recordingLog } from '../../contract/listener.ts'
import { testClock } from '../../helpers/clock.ts'

interface Asked {
  readonly name: string
  readonly type: string
  readonly protocol: string
  readonly edns: boolean
}

/** A server that gives what `answer` says, a packet or octets; what it was asked is kept. */
async function server(t: Test, answer: (asked: Asked) => Packet | Buffer | undefined) {
  const asked: Asked[] = []
  const { log } = recordingLog()
  const clock = testClock()
  const respond: Respond = (packet, { protocol }) => {
    const { id, questions = [], additionals = [] } = decode(Buffer.from(packet))
    const { name = '', type = '' } = questions[0] ?? {}
    const one = { name, type, protocol, edns: additionals.length > 0 }
    asked.push(one)
    const reply = answer(one)
    if (reply === undefined || Buffer.isBuffer(reply)) return reply
    return encode({ type: 'response', id, questions, ...reply })
  }
  const tcp = tcpListener({ address: '127.0.0.1', port: 0, clock, log })
  await tcp.listen(respond)
  t.teardown(() => tcp.close(0))
  const udp = udpListener({ address: '127.0.0.1', port: tcp.port, clock, log })
  await udp.listen(respond)
  t.teardown(() => udp.close(0))
  return { port: udp.port, asked }
}

function resolve(port: number, name: string, options = '', types: readonly AddressType[] = ['A'], clock = systemClock) {
  const config = resolverConfig(`search one.test\nnameserver 127.0.0.1\noptions ${options}`, 'glibc')
  return perform(walkOf('glibc', config, name, types, Math.random), { clock, random: Math.random, port })
}

const address = ({ name, type }: Asked): Packet => ({
  answers: [
    type === 'A' ? { name, type: 'A', ttl: 5, data: '192.0.2.1' } : { name, type: 'AAAA', ttl: 5, data: '2001:db8::1' },
  ],
})
const nxdomain: Packet = { flags: 0x0403 }

t.test('walks until there is an answer', async t => {
  const { port, asked } = await server(t, one => (one.name === 'web' ? address(one) : nxdomain))
  const { outcome, addresses, steps } = await resolve(port, 'web', 'edns0', ['A', 'AAAA'])
  t.equal(outcome, 'found')
  t.strictSame(addresses.toSorted(), ['192.0.2.1', '2001:db8::1'])
  t.match(steps, [
    { name: 'web.one.test', search: 'one.test', verdict: 'nxdomain' },
    { name: 'web', search: undefined, verdict: 'found' },
  ])
  t.strictSame(
    asked.map(({ name, type, edns }) => `${name} ${type} ${edns}`),
    ['web.one.test A true', 'web.one.test AAAA true', 'web A true', 'web AAAA true'],
  )
})

t.test('over TCP where an answer was cut short', async t => {
  const { port, asked } = await server(t, one =>
    one.protocol === 'udp' ? { flags: TRUNCATED_RESPONSE | AUTHORITATIVE_ANSWER } : address(one),
  )
  t.match(await resolve(port, 'web.'), { outcome: 'found' })
  t.strictSame(
    asked.map(({ protocol }) => protocol),
    ['udp', 'tcp'],
  )
})

t.test('what is no reply to the question is passed over', async t => {
  const other = encode({ type: 'response', id: 0, questions: [{ name: 'other.test', type: 'A' }] })
  let replies = 0
  const { port } = await server(t, one =>
    replies++ === 0 ? Buffer.from([0, 0]) : replies === 2 ? other : address(one),
  )
  const clock = testClock()
  const walked = resolve(port, 'web.', 'timeout:1 attempts:3', ['A'], clock)
  const ended = walked.then(() => true)
  while (!(await Promise.race([ended, new Promise(resolve => setTimeout(resolve, 5, false))]))) clock.advance(1000)
  const { outcome, steps } = await walked
  t.equal(outcome, 'found')
  t.equal(steps[0]?.exchanges.length, 3)
  t.match(
    steps[0]?.exchanges.map(({ end }) => end?.what),
    [undefined, undefined, 'reply'],
  )
})

t.test('silence, by the clock that it is given', async t => {
  const { port, asked } = await server(t, () => undefined)
  const clock = testClock()
  const walked = resolve(port, 'web.', 'timeout:1 attempts:2', ['A'], clock)
  for (let sent = 1; sent <= 2; sent++) {
    while (asked.length < sent) await new Promise(resolve => setTimeout(resolve, 1))
    clock.advance(1000)
  }
  const { outcome, steps } = await walked
  t.equal(outcome, 'EAI_AGAIN')
  t.strictSame(
    steps[0]?.exchanges.map(({ sentAt }) => sentAt),
    [0, 1000],
  )
})

t.test('a library that waits for ever is not followed there', async t => {
  const { port, asked } = await server(t, () => undefined)
  const clock = testClock()
  const walked = resolve(port, 'web.', 'use-vc', ['A'], clock)
  while (asked.length === 0) await new Promise(resolve => setTimeout(resolve, 1))
  clock.advance(10_000)
  t.match(await walked, { outcome: 'EAI_AGAIN' })
})

t.test('nobody there', async t => {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  const { outcome, steps } = await resolve(port, 'web', 'attempts:1')
  t.equal(outcome, 'EAI_AGAIN')
  t.match(steps, [{ exchanges: [{ end: { what: 'refused' } }] }])
  const both = await resolve(port, 'web', 'attempts:1', ['A', 'AAAA'])
  t.match(both.steps, [{ exchanges: [{ end: { what: 'refused' } }, { end: { what: 'refused' } }] }])
  t.equal(both.steps.length, 1, 'the search is over')
  t.match(await resolve(port, 'web.', 'use-vc'), { steps: [{ exchanges: [{ end: { what: 'refused' } }] }] })
})
