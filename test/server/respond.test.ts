/** From the octets of a request to those of its response. */
import { decode } from 'dns-packet'
import t from 'tap'
import { logger } from '../../src/observe/logger.ts'
import { metrics } from '../../src/observe/metrics.ts'
import type { Next, Plugin } from '../../src/plugin/plugin.ts'
import { responder } from '../../src/server/respond.ts'
import { Router, type RunningBlock } from '../../src/server/router.ts'
import { bare } from '../../src/wire/answer.ts'
import { keyFromText } from '../../src/wire/name.ts'
import { Bit, Rcode } from '../../src/wire/types.ts'
import { answerTo } from '../helpers/answer.ts'
import { type AskOptions, questionPacket } from '../helpers/serve.ts'
import { packets } from '../wire/packets.ts'
import { tcp, udp } from '../wire/peers.ts'

/** A server of `zone` with one chain. */
function server(chain: Next, { zone = '.', plugin = 'any' } = {}) {
  const block: RunningBlock = {
    origins: [keyFromText(zone)!],
    port: 53,
    label: 'dns://:53',
    listen: [],
    directory: '/',
    directives: [],
    plugins: [{ name: plugin } as Plugin],
    chain,
  }
  const lines: string[] = []
  const counted = metrics()
  const panics = counted.counter('coredns_panics_total', 'Errors of our own while answering.', []).of()
  const log = logger({ format: 'text', write: line => lines.push(line.trimEnd()) })
  const dropped: string[] = []
  const router = new Router([block], query => dropped.push(query.key))
  const respond = responder({ router: () => router, log, panics })
  const ask = async (question: string, options: AskOptions = {}) => {
    const response = await respond(questionPacket(question, options), options.protocol === 'tcp' ? tcp : udp)
    return Buffer.from(response!)
  }
  return { respond, ask, lines, dropped, counted }
}

const denied: Next = () => ({ answer: bare(Rcode.NXDOMAIN, Bit.AA), plugin: 'any' })

for (const table of ['headers', 'names', 'edns', 'classes']) {
  t.test(`${table}: octet for octet what CoreDNS replies`, async t => {
    const { respond } = server(denied)
    for (const { title, request, reply } of packets(table)) {
      for (const peer of [udp, tcp]) {
        const response = (await respond(request, peer)) as Uint8Array | undefined
        t.equal(response && Buffer.from(response).toString('hex'), reply?.toString('hex'), `${title}, ${peer.protocol}`)
      }
    }
  })
}

t.test('a reply that takes time is the same', async t => {
  const late: Next = async query => denied(query)
  for (const { title, request, reply } of packets('edns')) {
    const response = await server(late).respond(request, udp)
    t.equal(response && Buffer.from(response).toString('hex'), reply?.toString('hex'), title)
  }
})

t.test('names that nobody serves are REFUSED, whatever their EDNS version', async t => {
  const { ask, dropped } = server(denied, { zone: 'test' })
  t.equal((await ask('other. A'))[3], Rcode.REFUSED)
  const version1 = Buffer.from(questionPacket('other. A', { size: 1232 }))
  version1[version1.length - 5] = 1
  const response = (await server(denied, { zone: 'test' }).respond(version1, udp)) as Uint8Array
  t.match(decode(Buffer.from(response)).additionals, [{ type: 'OPT', extendedRcode: 1, udpPayloadSize: 0 }])
  t.strictSame(dropped, [keyFromText('other.')])
})

t.test('other classes pass where `forward` stands', async t => {
  const { ask } = server(denied, { plugin: 'forward' })
  const response = await ask('a.test. A', { class: 3, size: 1232 })
  t.equal(response.readUInt16BE(2), 0x8503)
  t.equal(response.readUInt16BE(12 + 8 + 2), 3)
})

t.test('an error of our own: SERVFAIL, counted, and logged with the question', async t => {
  const failing: readonly Next[] = [
    () => {
      throw new Error('boom')
    },
    async () => {
      throw new Error('boom')
    },
    () => Promise.reject('boom'),
  ]
  for (const chain of failing) {
    const { ask, lines, counted } = server(chain)
    const response = await ask('A.test. SRV', { size: 1232 })
    t.equal(response.readUInt16BE(2), 0x8102, 'no AA')
    t.match(decode(response).questions, [{ name: 'A.test', type: 'SRV' }])
    t.match(decode(response).additionals, [{ type: 'OPT', udpPayloadSize: 1232 }])
    t.match(lines, [/^\[ERROR\] recovered from an error while answering A\.test\. SRV: .*boom/])
    t.match(await counted.exposition(), /^coredns_panics_total 1$/m)
  }
})

t.test('an answer that cannot be written is an error of our own too', async t => {
  const broken: Next = () => ({ answer: { ...bare(0), starts: [0, 5], body: undefined as never }, plugin: 'any' })
  const { ask, lines } = server(broken)
  t.equal((await ask('a.test. A'))[3], Rcode.SERVFAIL)
  t.equal(lines.length, 1)
  const late = server(async query => broken(query))
  t.equal((await late.ask('a.test. A'))[3], Rcode.SERVFAIL)
})

t.test('a size that a plugin lowered is what the reply is cut to, and repeats', async t => {
  const many = Array.from({ length: 60 }, (_, i) => `a.test. 5 IN A 10.0.0.${i}`)
  const { ask } = server(query => ({ answer: answerTo(query, { answers: many }), plugin: 'any', size: 700 }))
  const response = await ask('a.test. A', { size: 1232 })
  t.ok(response.length <= 700 && response.length > 680)
  t.match(decode(response), { flag_tc: true, additionals: [{ udpPayloadSize: 700 }] })
  const plain = await ask('a.test. A')
  t.ok(plain.length <= 512)
  const whole = await ask('a.test. A', { size: 1232, protocol: 'tcp' })
  t.match(decode(whole), { flag_tc: false, additionals: [{ udpPayloadSize: 700 }] })
})

t.test('a long reply takes no more octets than it may have', async t => {
  const many = Array.from({ length: 6000 }, (_, i) => `a.test. 5 IN A 10.0.${i >> 8}.${i & 255}`)
  const { ask } = server(query => ({ answer: answerTo(query, { answers: many }), plugin: 'any' }))
  t.ok((await ask('a.test. A', { protocol: 'tcp' })).length <= 65_535)
  t.ok((await ask('a.test. A', { size: 65_535 })).length <= 65_535)
})
