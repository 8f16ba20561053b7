/** Requests about the names of a world and what is near them, and requests that nobody ought to send. */
import { addressOctets, reverseName } from '../../src/wire/address.ts'
import { keyFromText, MAX_NAME, type NameKey, nameFromKey, nameOf, parentOf } from '../../src/wire/name.ts'
import { Bit, DO, HEADER, Type } from '../../src/wire/types.ts'
import { requestFor } from '../table/answering.ts'
import { damaged, goodQueries } from '../wire/damage.ts'
import type { Chance } from '../wire/random.ts'

const TYPES = [Type.A, Type.A, Type.A, Type.AAAA, Type.AAAA, Type.SRV, Type.PTR, Type.TXT, Type.SOA, Type.CNAME]
const RARE_TYPES = [
  Type.NS,
  Type.MX,
  Type.ANY,
  Type.DS,
  Type.HTTPS,
  Type.OPT,
  Type.TKEY,
  Type.TSIG,
  Type.AXFR,
  Type.IXFR,
  253,
  0,
  1000,
  65_535,
]

const OPTIONS = [[], [], [], [10, 8], [10, 40], [10, 7], [12, 20], [8, 7], [3, 0], [10, 8, 12, 3], [65_001, 4]]
const SIZES = [0, 512, 513, 600, 1232, 1232, 1232, 4096, 65_535]

/** Names that no table lists: with no end of them, in other spellings, outside of every zone. */
const OTHERS = [
  ...[
    '',
    'nosuch.',
    'dns.',
    'ns.dns.',
    'dns-version.',
    'svc.',
    'pod.',
    'shop.svc.',
    'shop.pod.',
    'nosuch.svc.',
    'nosuch.pod.',
    'new.svc.',
  ],
  ...[
    '10-0-0-1.shop.pod.',
    '10-0-0-2.shop.pod.',
    'fd00--9.data.pod.',
    'x.10-0-0-2.shop.pod.',
    'x.y.10-0-0-1.shop.pod.',
    'x.y.z.10-0-0-1.shop.pod.',
    '10-0-0-1.nosuch.pod.',
    'web.shop.pod.',
  ],
  ...[
    'http.tcp.web.shop.svc.',
    '_http.tcp.web.shop.svc.',
    '_._tcp.web.shop.svc.',
    '_http._tcp.web.shop.svc.',
    '_HTTP._udp.web.shop.svc.',
    '_metrics._udp.web.shop.svc.',
    '_http._.web.shop.svc.',
    '*._tcp.web.shop.svc.',
  ],
  ...[
    'any.pin._zone.pin.shop.svc.',
    'z1.pin._zone.pin.shop.svc.',
    'z2.prefer._zone.pin.shop.svc.',
    'a.b.prefer._zone.pin.shop.svc.',
    'pin._zone.pin.shop.svc.',
    '_zone.pin.shop.svc.',
  ],
  ...[
    'one.pin.shop.svc.',
    'pod-2.pin.shop.svc.',
    '10-0-0-1.pin.shop.svc.',
    'x.one.pin.shop.svc.',
    'x.y.one.pin.shop.svc.',
    'six.',
    'named.shop.svc.',
    'host.kube-system.svc.',
  ],
  // As they come from clients that have a search list.
  ...['shop.svc.', 'data.svc.'].flatMap(domain => [
    `db.data.${domain}`,
    `web.shop.svc.${domain}`,
    `out.data.${domain}`,
    `www.up.test.${domain}`,
    `host.up.test.${domain}`,
    `b.${domain}`,
    `nosuch.${domain}`,
  ]),
].flatMap(left => [`${left}cluster.local`, `${left}two.test`])

const ADDRESSES = [
  '10.96.0.1',
  '10.96.0.2',
  '10.0.0.1',
  '10.0.0.2',
  '10.0.0.77',
  '10.0.0.78',
  '192.0.2.1',
  'fd00:96::1',
  'fd00::1',
  'fd00::77',
]

const OUTSIDE = [
  ...[
    '.',
    'test',
    'up.test',
    'www.up.test',
    'a.up.test',
    'b.up.test',
    'c.up.test',
    'host.up.test',
    'one.wild.up.test',
    'wild.up.test',
    'alone.test',
  ],
  ...[
    'local',
    'org',
    'www.example.org',
    '10.in-addr.arpa',
    '0.10.in-addr.arpa',
    'x.1.0.0.10.in-addr.arpa',
    'in-addr.arpa',
    'arpa',
    'd.f.ip6.arpa',
  ],
]

const others: readonly NameKey[] = [...OTHERS, ...OUTSIDE]
  .map(text => keyFromText(text)!)
  .concat(ADDRESSES.map(address => reverseName(addressOctets(address)!)))
const kept: readonly NameKey[] = OUTSIDE.map(text => keyFromText(text)!)

/** Asked again and again. */
const hot: readonly NameKey[] = ['a.up.test', 'b.up.test'].map(text => keyFromText(text)!)

/** Put in front of names, or in the place of their first label. */
const LEFT = [
  ['nosuch'],
  ['x', 'y'],
  ['_tcp'],
  ['_http', '_tcp'],
  ['_', '_tcp'],
  ['http', 'tcp'],
  ['z1', 'pin', '_zone'],
  ['10-0-0-1'],
  ['*'],
  ['\xe9\0.'],
]

function randomKey({ below, pick }: Chance, published: readonly NameKey[]): NameKey {
  if (below(6) === 0) return pick(hot)
  const key = published.length > 0 && below(3) ? pick(published) : pick(below(3) ? others : kept)
  switch (below(8)) {
    case 0:
      return keyWith(pick(LEFT), key)
    case 1:
      return key.length > 1 ? keyWith(pick(LEFT), parentOf(key)) : key
    case 2:
      return below(4) || key.length === 1 ? key : parentOf(key)
    case 3:
      return below(8) ? key : longest(key, below(2) ? 1 : 1 + below(63))
    default:
      return key
  }
}

function keyWith(labels: readonly string[], key: NameKey): NameKey {
  const name = nameOf(labels, nameFromKey(key))
  return name === undefined ? key : (Buffer.from(name).toString('latin1') as NameKey)
}

/** As many labels of that length below the name as there is room for: 255 octets, or 127 labels. */
function longest(key: NameKey, length: number): NameKey {
  const labels = Array.from({ length: Math.floor((MAX_NAME - key.length) / (length + 1)) }, () => 'l'.repeat(length))
  const left = MAX_NAME - key.length - labels.length * (length + 1)
  return keyWith(left > 1 ? ['r'.repeat(left - 1), ...labels] : labels, key)
}

function spelled({ below }: Chance, key: NameKey): Uint8Array {
  if (below(5) > 0) return nameFromKey(key)
  return Buffer.from(
    key.replace(/[a-z]/g, letter => (below(2) ? letter.toUpperCase() : letter)),
    'latin1',
  )
}

const corpus = goodQueries()

export interface Request {
  readonly packet: Buffer
  /** The name that it is as usual about; undefined where something about it is not usual. */
  readonly usual: NameKey | undefined
}

/** Of eight requests, five are as clients send them; the rest have something about them that is less usual, or are broken. */
export function randomRequest(source: Chance, published: readonly NameKey[]): Request {
  const kind = source.below(8)
  if (kind === 0) return { packet: Buffer.from(damaged(corpus, source)), usual: undefined }
  const key = randomKey(source, published)
  return kind > 2
    ? { packet: usualRequest(source, key), usual: key }
    : { packet: unusualRequest(source, key), usual: undefined }
}

function usualRequest(source: Chance, key: NameKey): Buffer {
  const { below, pick } = source
  const bits = pick([Bit.RD, Bit.RD, Bit.RD | Bit.AD, Bit.RD | Bit.CD])
  const edns = { size: 1232, flags: pick([0, 0, DO]) }
  const id = below(0x10000)
  return requestFor(spelled(source, key), pick(TYPES), below(2) ? { id, bits } : { id, bits, edns })
}

function unusualRequest(source: Chance, key: NameKey): Buffer {
  const { below, pick } = source
  const type = below(2) ? pick(TYPES) : pick(RARE_TYPES)
  const bits = below(2) ? Bit.RD : below(0x10000) & ~Bit.QR
  const edns = { size: pick(SIZES), flags: pick([0, DO, 0x7fff, 0xffff]), options: pick(OPTIONS) }
  const request = requestFor(spelled(source, key), type, below(2) ? { bits } : { bits, edns })
  if (below(2)) return request
  const nameEnd = HEADER + nameLength(request)
  switch (below(6)) {
    case 0:
      return request.subarray(0, below(request.length + 1))
    case 1:
      request.writeUInt16BE(pick([0, 3, 255, 254]), nameEnd + 2)
      return request
    case 2:
      request.writeUInt16BE(pick([0, 1, 2, 3]), 4 + 2 * below(4))
      return request
    case 3:
      return Buffer.concat([request, Buffer.alloc(below(12))])
    case 4:
      return twoOpts(request, nameEnd + 4)
    default:
      // The version of EDNS, where there is OPT.
      if (request.length > nameEnd + 4) request[nameEnd + 4 + 6] = below(3)
      return request
  }
}

function twoOpts(request: Buffer, questionEnd: number): Buffer {
  const doubled = Buffer.concat([request, request.subarray(questionEnd)])
  doubled.writeUInt16BE(2, 10)
  return doubled
}

function nameLength(request: Buffer): number {
  let at = HEADER
  while (request[at] !== 0) at += request[at]! + 1
  return at + 1 - HEADER
}
