/**
 * A small upstream for `forward`, `cache` and ExternalName: a fixed zone with good names, and names that misbehave in one known way
 * each. It keeps no state, so two servers that have one each are told the same.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { decode, flagBits, nameBytes, optBytes, type TypeName, types, words } from '../message.ts'

export interface Upstream extends AsyncDisposable {
  /** Port on 127.0.0.1, UDP and TCP. */
  readonly port: number
}

type Zone = ReadonlyMap<string, ReadonlyMap<number, { ttl: number; data: readonly Buffer[] }>>

const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)])
const address = (value: string): Buffer => Buffer.from(value.split('.').map(Number))
const address6 = (value: string): Buffer => {
  const [head = '', tail = ''] = value.split('::')
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map(group => Number.parseInt(group, 16))
  const zeros = Array.from({ length: 8 - groups(head).length - groups(tail).length }, () => 0)
  return words(...groups(head), ...zeros, ...groups(tail))
}
const many = (count: number, size: number): Buffer[] =>
  Array.from({ length: count }, (_, n) => text(`${n}-${'x'.repeat(size)}`))

/** Name, TTL and type of each set, and the data of its records; the names `tc` and after misbehave as they are called. */
const records: readonly (readonly [name: string, ttl: number, type: TypeName, ...data: readonly Buffer[]])[] = [
  [
    '',
    600,
    'SOA',
    Buffer.concat([nameBytes('ns.root.test'), nameBytes('host.root.test'), numbers(42, 7200, 900, 86400, 60)]),
  ],
  ['', 600, 'NS', nameBytes('ns.root.test')],
  [
    'up.test',
    600,
    'SOA',
    Buffer.concat([nameBytes('ns.up.test'), nameBytes('host.up.test'), numbers(42, 7200, 900, 86400, 30)]),
  ],
  ['up.test', 600, 'NS', nameBytes('ns1.up.test'), nameBytes('ns2.up.test')],
  ['www.up.test', 300, 'A', address('192.0.2.1')],
  ['www.up.test', 300, 'AAAA', address6('2001:db8::1')],
  ['multi.up.test', 60, 'A', ...[10, 11, 12, 13, 14].map(n => address(`192.0.2.${n}`))],
  ['multi.up.test', 90, 'AAAA', ...['a', 'b'].map(n => address6(`2001:db8::${n}`))],
  ['alias.up.test', 120, 'CNAME', nameBytes('www.up.test')],
  ['c1.up.test', 50, 'CNAME', nameBytes('c2.up.test')],
  ['c2.up.test', 40, 'CNAME', nameBytes('c3.stub.test')],
  ['c3.stub.test', 30, 'CNAME', nameBytes('multi.up.test')],
  ['dangling.up.test', 60, 'CNAME', nameBytes('nx.up.test')],
  ['back.up.test', 60, 'CNAME', nameBytes('web.shop.svc.cluster.local')],
  ['loop-a.up.test', 60, 'CNAME', nameBytes('loop-b.up.test')],
  ['loop-b.up.test', 60, 'CNAME', nameBytes('loop-a.up.test')],
  [
    'mx.up.test',
    200,
    'MX',
    ...['mail.up.test', 'mail2.up.test', '.'].map((name, n) => Buffer.concat([words(n * 10), nameBytes(name)])),
  ],
  ['mail.up.test', 200, 'A', address('192.0.2.25')],
  [
    '_sip._tcp.up.test',
    70,
    'SRV',
    Buffer.concat([words(1, 2, 5060), nameBytes('www.up.test')]),
    Buffer.concat([words(1, 0, 5061), nameBytes('mail.up.test')]),
  ],
  ['txtonly.up.test', 300, 'TXT', Buffer.concat([text('hello'), text('two words')])],
  ['mid.up.test', 300, 'TXT', ...many(9, 90)],
  ['big.up.test', 300, 'TXT', ...many(20, 200)],
  ['https.up.test', 300, 'HTTPS', Buffer.concat([words(1), Buffer.from([0]), words(1, 3), text('h2')])],
  ['caa.up.test', 300, 'CAA', Buffer.from('\x00\x05issueca.test')],
  ['unknown.up.test', 300, 'TYPE65400', Buffer.from([10, 11, 12, 13])],
  ['upper.up.test', 60, 'A', address('192.0.2.77')],
  ['wild.up.test', 60, 'A', address('192.0.2.44')],
  ['1.2.0.192.in-addr.arpa', 300, 'PTR', nameBytes('www.up.test')],
  ['250.0.96.10.in-addr.arpa', 300, 'PTR', nameBytes('own.up.test')],
  ['own.cluster.local', 300, 'A', address('192.0.2.45')],
  ['own.shop.svc.cluster.local', 300, 'A', address('192.0.2.46')],
  ...[0, 1, 4, 5, 7, 30, 3600, 604800, 2147483647].map(
    ttl => [`ttl${ttl}.up.test`, ttl, 'A', address('192.0.2.50')] as const,
  ),
  ...['tc', 'ad', 'ra0', 'aa0', 'slow', 'no-edns', 'error-info', 'wrong-id', 'stranger', 'query-back'].map(
    name => [`${name}.up.test`, 60, 'A', address('192.0.2.60')] as const,
  ),
]

const zone: Zone = new Map(
  [...Map.groupBy(records, ([name]) => name)].map(([name, own]) => [
    name,
    new Map(own.map(([, ttl, type, ...data]) => [types[type], { ttl, data }])),
  ]),
)

/** Names that exist only to fail: the rcode that they get. */
const rcodes: Readonly<Record<string, number>> = {
  formerr: 1,
  servfail: 2,
  'nx-no-soa': 3,
  notimp: 4,
  refused: 5,
  yxdomain: 6,
}
const { QR, AA, TC, RD, RA, AD, CD } = flagBits
const slowMs = 300
const behindMs = 50

/** Names worth asking through `forward`, with the types that show something. */
export const upstreamNames: readonly (readonly [name: string, ...types: TypeName[]])[] = [
  ...records
    .map(([name]) => name)
    .filter((name, n, all) => name !== '' && all.indexOf(name) === n)
    .map(name => [name, 'A', 'AAAA', 'MX', 'TXT', 'SRV', 'CNAME', 'ANY', 'HTTPS', 'SOA'] as const),
  ['.', 'SOA', 'NS', 'A'],
  ['caa.up.test', 'CAA'],
  ['unknown.up.test', 'TYPE65400', 'TYPE0'],
  ['1.2.0.192.in-addr.arpa', 'PTR'],
  ['250.0.96.10.in-addr.arpa', 'PTR'],
  ['3.2.0.192.in-addr.arpa', 'PTR'],
  ['nx.up.test', 'A', 'AAAA', 'SOA', 'ANY'],
  ['deep.nx.up.test', 'A'],
  ['x.wild.up.test', 'A', 'AAAA'],
  ['_tcp.up.test', 'A', 'SRV'],
  ['nodata-no-soa.up.test', 'A'],
  ...Object.keys(rcodes).map(name => [`${name}.up.test`, 'A', 'TXT'] as const),
  ['malformed.up.test', 'A'],
  ['drop.up.test', 'A'],
  ['example.org', 'A', 'MX', 'NS'],
]

/** Listens on one free port of 127.0.0.1, UDP and TCP. */
export async function startUpstream(): Promise<Upstream> {
  const connections = new Set<Socket>()
  const tcp = createServer(socket => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
    socket.on('error', () => socket.destroy())
    let received: Buffer = Buffer.alloc(0)
    socket.on('data', (part: Buffer) => {
      received = Buffer.concat([received, part])
      while (received.length >= 2 && received.length >= received.readUInt16BE(0) + 2) {
        const end = received.readUInt16BE(0) + 2
        respond(received.subarray(2, end), 'tcp', reply => socket.write(Buffer.concat([words(reply.length), reply])))
        received = received.subarray(end)
      }
    })
  })
  const { port, udp } = await bindBoth(tcp)
  udp.on('message', (packet, from) => respond(packet, 'udp', reply => udp.send(reply, from.port, from.address)))
  return {
    port,
    async [Symbol.asyncDispose]() {
      udp.close()
      for (const socket of connections) socket.destroy()
      tcp.close()
      await once(tcp, 'close')
    },
  }
}

/** Binds TCP, and UDP to the same port: some client may have just that one, then another is tried. */
async function bindBoth(tcp: Server): Promise<{ port: number; udp: UdpSocket }> {
  for (let tries = 1; ; tries++) {
    tcp.listen(0, '127.0.0.1')
    await once(tcp, 'listening')
    const bound = tcp.address()
    const port = bound !== null && typeof bound === 'object' ? bound.port : 0
    const udp = createSocket('udp4')
    udp.bind(port, '127.0.0.1')
    try {
      await once(udp, 'listening')
      return { port, udp }
    } catch (error) {
      udp.close()
      tcp.close()
      await once(tcp, 'close')
      if (tries === 8) throw error
    }
  }
}

function respond(packet: Buffer, transport: 'udp' | 'tcp', send: (reply: Buffer) => void): void {
  const reply = replyTo(packet, transport)
  if (reply === undefined) return
  const name = firstLabel(packet)
  const later = (): unknown => setTimeout(send, behindMs, reply)
  if (name === 'drop') return
  if (name === 'slow') setTimeout(send, slowMs, reply)
  else if (name === 'malformed')
    send(Buffer.concat([reply.subarray(0, 2), words(QR | AA, 1, 5, 0, 0), reply.subarray(12, 20)]))
  else if (name === 'wrong-id') {
    send(Buffer.concat([words((reply.readUInt16BE(0) + 1) & 0xffff), reply.subarray(2)]))
    later()
  } else if (name === 'stranger') {
    const other = Buffer.from(reply)
    other[13] = 'o'.charCodeAt(0)
    send(other)
    later()
  } else if (name === 'query-back') {
    const query = Buffer.from(reply)
    query[2]! &= 0x7f
    send(query)
    later()
  } else send(reply)
}

function replyTo(packet: Buffer, transport: 'udp' | 'tcp'): Buffer | undefined {
  const query = decode(packet)
  if (typeof query === 'string' || query.questions.length !== 1) return undefined
  const [name = '', , type = ''] = query.questions[0]!.toLowerCase().split(' ')
  const first = firstLabel(packet)
  const { rcode, answers, authority } = find(name.replace(/\.$/, ''), typeNumber(type.toUpperCase()), first)
  const question = packet.subarray(12, nameEnd(packet) + 4)
  const client = query.edns[0]
  const informs = first === 'error-info' ? Buffer.concat([words(15, 6, 18), Buffer.from('info')]) : undefined
  const edns =
    client === undefined || first === 'no-edns'
      ? []
      : [optBytes({ size: 1232, ttl: client.dnssecOk ? 0x8000 : 0, ...(informs ? { options: informs } : {}) })]
  let flags = QR | AA | RA | (query.flags & (RD | CD)) | rcode
  if (first === 'ad') flags |= AD
  if (first === 'ra0') flags &= ~RA
  if (first === 'aa0') flags &= ~AA
  const message = (bits: number, an: readonly Buffer[], ns: readonly Buffer[]): Buffer =>
    Buffer.concat([
      packet.subarray(0, 2),
      words(bits, 1, an.length, ns.length, edns.length),
      question,
      ...an,
      ...ns,
      ...edns,
    ])
  const whole = message(flags, answers, authority)
  const limit = transport === 'tcp' ? 65535 : Math.max(512, client?.size ?? 512)
  return whole.length > limit || (first === 'tc' && transport === 'udp') ? message(flags | TC, [], []) : whole
}

interface Found {
  readonly rcode: number
  readonly answers: readonly Buffer[]
  readonly authority: readonly Buffer[]
}

function find(asked: string, type: number, first: string): Found {
  const failure = asked.endsWith('.up.test') ? rcodes[first] : undefined
  if (failure !== undefined) return { rcode: failure, answers: [], authority: [] }
  if (first === 'nodata-no-soa') return { rcode: 0, answers: [], authority: [] }
  const answers: Buffer[] = []
  const seen = new Set([asked])
  for (let name = asked; ; ) {
    const node = zone.get(name) ?? zone.get(name.replace(/^[^.]+\.wild\./, 'wild.'))
    // The question's own name is written as the question has it, so that letter case comes back.
    const owner =
      name === asked && first !== 'upper' ? words(0xc00c) : nameBytes(first === 'upper' ? name.toUpperCase() : name)
    const negative = (rcode: number): Found => ({ rcode, answers, authority: [soaOf(name)] })
    if (node === undefined) return negative([...zone.keys()].some(known => known.endsWith(`.${name}`)) ? 0 : 3)
    for (const [each, { ttl, data }] of node) {
      if (each === type || type === types.ANY) answers.push(...data.map(bytes => recordBytes(owner, each, ttl, bytes)))
    }
    if (node.has(type) || type === types.ANY) return { rcode: 0, answers, authority: [] }
    const alias = node.get(types.CNAME)
    if (alias === undefined) return negative(0)
    answers.push(recordBytes(owner, types.CNAME, alias.ttl, alias.data[0]!))
    name = decodeName(alias.data[0]!)
    if (seen.has(name)) return { rcode: 0, answers, authority: [] }
    seen.add(name)
  }
}

function soaOf(name: string): Buffer {
  const origin = name === 'up.test' || name.endsWith('.up.test') ? 'up.test' : ''
  const { ttl, data } = zone.get(origin)!.get(types.SOA)!
  return recordBytes(nameBytes(origin), types.SOA, ttl, data[0]!)
}

function recordBytes(owner: Buffer, type: number, ttl: number, data: Buffer): Buffer {
  return Buffer.concat([owner, words(type, 1, ttl >>> 16, ttl & 0xffff, data.length), data])
}

function decodeName(bytes: Buffer): string {
  const labels: string[] = []
  for (let at = 0; bytes[at]! > 0; at += bytes[at]! + 1)
    labels.push(bytes.toString('latin1', at + 1, at + 1 + bytes[at]!))
  return labels.join('.')
}

function firstLabel(packet: Buffer): string {
  return packet.toString('latin1', 13, 13 + packet[12]!).toLowerCase()
}

function nameEnd(packet: Buffer): number {
  let at = 12
  while (packet[at]! > 0) at += packet[at]! + 1
  return at + 1
}

function typeNumber(name: string): number {
  return types[name as TypeName] ?? Number(name.replace('TYPE', ''))
}

function numbers(...values: readonly number[]): Buffer {
  return words(...values.flatMap(value => [value >>> 16, value & 0xffff]))
}
