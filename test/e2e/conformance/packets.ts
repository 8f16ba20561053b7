/** Packets that are not plain questions: odd headers, broken names, broken EDNS; each over UDP and over TCP. */
import { flagBits, nameBytes, optBytes, type QueryOptions, queryBytes, types, words } from '../message.ts'
import type { Prepared } from './modes.ts'

const name = 'web.shop.svc.cluster.local'
const { RD, QR, AA, TC, RA, Z, AD, CD } = flagBits
const question = Buffer.concat([nameBytes(name), words(types.A, 1)])
const record = Buffer.concat([nameBytes(name), words(types.A, 1, 0, 5, 4), Buffer.from([192, 0, 2, 1])])

function header(flags: number, questions = 1, answers = 0, authorities = 0, additionals = 0): Buffer {
  return words(0, flags, questions, answers, authorities, additionals)
}

function asked(options: QueryOptions): Buffer {
  return queryBytes(name, types.A, options)
}

function withEdns(...records: readonly Buffer[]): Buffer {
  return Buffer.concat([header(RD, 1, 0, 0, records.length), question, ...records])
}

function edns(size: number, ttl = 0, options: Buffer = Buffer.alloc(0)): Buffer {
  return optBytes({ size, ttl, options })
}

function option(code: number, ...bytes: readonly number[]): Buffer {
  return Buffer.concat([words(code, bytes.length), Buffer.from(bytes)])
}

const headers: readonly (readonly [string, Buffer])[] = [
  ...Array.from({ length: 16 }, (_, opcode) => [`opcode ${opcode}`, asked({ flags: RD | (opcode << 11) })] as const),
  ...Array.from({ length: 16 }, (_, rcode) => [`rcode bits ${rcode}`, asked({ flags: RD | rcode })] as const),
  ...[0, 2, 3, 4, 5, 254, 255, 65535].map(other => [`class ${other}`, asked({ class: other })] as const),
  ...[0, RD, AA, TC, RA, Z, AD, CD, RD | AD, RD | CD, AD | CD, AA | TC | RA | Z | AD | CD].flatMap(flags => [
    [`flags ${flags.toString(16)}`, asked({ flags })] as const,
    [`flags ${flags.toString(16)} with DO`, asked({ flags, edns: { size: 1232, ttl: 0x8000 } })] as const,
    [
      `flags ${flags.toString(16)} missing name`,
      queryBytes('nosuch.shop.svc.cluster.local', types.A, { flags }),
    ] as const,
  ]),
  ['response', asked({ flags: QR | RD })],
  ['response with an answer', Buffer.concat([header(QR | AA, 1, 1), question, record])],
  ['no question', header(RD, 0)],
  ['no question, question there', Buffer.concat([header(RD, 0), question])],
  ['two questions', Buffer.concat([header(RD, 2), question, question])],
  ['one question missing', header(RD, 1)],
  ['second question missing', Buffer.concat([header(RD, 2), question])],
  ['an answer', Buffer.concat([header(RD, 1, 1), question, record])],
  ['an authority record', Buffer.concat([header(RD, 1, 0, 1), question, record])],
  ['an additional record', Buffer.concat([header(RD, 1, 0, 0, 1), question, record])],
  ['two answers', Buffer.concat([header(RD, 1, 2), question, record, record])],
  ['two authority records', Buffer.concat([header(RD, 1, 0, 2), question, record, record])],
  ['two additional records', Buffer.concat([header(RD, 1, 0, 0, 2), question, record, record])],
  ['three additional records', Buffer.concat([header(RD, 1, 0, 0, 3), question, record, record, record])],
  ['an answer announced, none there', Buffer.concat([header(RD, 1, 1), question])],
  ['an additional record announced, none there', Buffer.concat([header(RD, 1, 0, 0, 1), question])],
  ['trailing byte', Buffer.concat([asked({}), Buffer.from([0])])],
  ['trailing kilobyte', Buffer.concat([asked({}), Buffer.alloc(1024, 0xff)])],
]

const names: readonly (readonly [string, Buffer])[] = [
  ...[12, 13, 20, 30, 38, 39, 40, 41, 42, 43].map(
    length => [`cut at ${length}`, asked({}).subarray(0, length)] as const,
  ),
  ...[0, 1, 2, 5, 11].map(length => [`${length} bytes`, asked({}).subarray(0, length)] as const),
  ...(
    [
      ['name points at itself', [0xc0, 12]],
      ['name points ahead', [0xc0, 18]],
      ['name points past the end', [0xff, 0xff]],
      ['name points into the header', [0xc0, 0]],
      ['pointer cut', [0xc0]],
      ['label type 0x40', [0x41, 0x61, 0]],
      ['label type 0x80', [0x81, 0x61, 0]],
      ['label past the end', [63, 0x61, 0]],
      ['root name', [0]],
      ['label of 63 bytes', [63, ...Array.from({ length: 63 }, () => 0x61), 0]],
      ['name of 255 bytes', longName(255)],
      ['name of 256 bytes', longName(256)],
      ['name of 127 labels', [...Array.from({ length: 127 }, () => [1, 0x61]).flat(), 0]],
      ['name with every odd byte', [7, 0, 0x2e, 0x5c, 0x20, 0x22, 0x7f, 0xff, 0]],
    ] as const
  ).map(([title, bytes]) => [title, Buffer.concat([header(RD), Buffer.from(bytes), words(types.A, 1)])] as const),
  ...['cluster.local', 'shop.svc.cluster.local'].map(
    zone =>
      [
        `odd bytes below ${zone}`,
        Buffer.concat([header(RD), Buffer.from([4, 0, 0x2e, 0x5c, 0xff]), nameBytes(zone), words(types.A, 1)]),
      ] as const,
  ),
]

const ednsPackets: readonly (readonly [string, Buffer])[] = [
  ...[0, 1, 511, 512, 513, 1231, 4096, 65535].map(size => [`EDNS size ${size}`, withEdns(edns(size))] as const),
  ...[1, 2, 255].map(version => [`EDNS version ${version}`, withEdns(edns(1232, version << 16))] as const),
  [
    'EDNS version 1, class CH',
    Buffer.concat([header(RD, 1, 0, 0, 1), nameBytes(name), words(types.A, 3), edns(1232, 1 << 16)]),
  ],
  ['EDNS version 1 with DO', withEdns(edns(1232, (1 << 16) | 0x8000))],
  [
    'EDNS version 1, missing name',
    Buffer.concat([queryBytes('nosuch.cluster.local', types.A, { edns: { size: 1232, ttl: 1 << 16 } })]),
  ],
  ['EDNS rcode bits', withEdns(edns(1232, 0x01000000))],
  ['EDNS Z bits', withEdns(edns(1232, 0x7fff))],
  ['EDNS DO and Z bits', withEdns(edns(1232, 0xffff))],
  ['two OPT', withEdns(edns(600), edns(1400, 0x8000))],
  ['two OPT, second of version 1', withEdns(edns(600), edns(1400, 1 << 16))],
  ['OPT with a name', withEdns(Buffer.concat([nameBytes('x'), edns(1232).subarray(1)]))],
  ['OPT in the answer', Buffer.concat([header(RD, 1, 1), question, edns(1232)])],
  ['OPT in the authority section', Buffer.concat([header(RD, 1, 0, 1), question, edns(1232)])],
  ['OPT cut', withEdns(edns(1232).subarray(0, 8))],
  ['NSID', withEdns(edns(1232, 0, option(3)))],
  ['short cookie', withEdns(edns(1232, 0, option(10, 1, 2, 3)))],
  ['cookie', withEdns(edns(1232, 0, option(10, 1, 2, 3, 4, 5, 6, 7, 8)))],
  ['client subnet', withEdns(edns(1232, 0, option(8, 0, 1, 24, 0, 192, 0, 2)))],
  ['client subnet of 64 bits for IPv4', withEdns(edns(1232, 0, option(8, 0, 1, 64, 0, 192, 0, 2, 1)))],
  ['client subnet of an unknown family', withEdns(edns(1232, 0, option(8, 0, 9, 24, 0, 192, 0, 2)))],
  ['client subnet, empty', withEdns(edns(1232, 0, option(8)))],
  ['padding', withEdns(edns(1232, 0, option(12, 0, 0, 0, 0)))],
  ['keepalive', withEdns(edns(1232, 0, option(11)))],
  ['keepalive of one byte', withEdns(edns(1232, 0, option(11, 1)))],
  ['expire', withEdns(edns(1232, 0, option(9)))],
  ['extended error', withEdns(edns(1232, 0, option(15, 0, 18)))],
  ['extended error of one byte', withEdns(edns(1232, 0, option(15, 0)))],
  ['unknown option', withEdns(edns(1232, 0, option(65001, 1, 2)))],
  ['option past the end', withEdns(edns(1232, 0, Buffer.concat([words(65001, 9), Buffer.from([1])])))],
  ['option header cut', withEdns(edns(1232, 0, Buffer.from([0, 10, 0])))],
]

/** All of them, over UDP and TCP. */
export function oddPackets(): Prepared[] {
  return [...headers, ...names, ...ednsPackets].flatMap(([title, packet]) =>
    (['udp', 'tcp'] as const).map(transport => ({
      group: 'packet',
      title: `${title} ${transport}`,
      name: '',
      type: '',
      packet,
      transport,
      once: true,
    })),
  )
}

function longName(length: number): number[] {
  const label = [63, ...Array.from({ length: 63 }, () => 0x61)]
  const rest = length - 1 - 3 * 64 - 1
  return [...label, ...label, ...label, rest, ...Array.from({ length: rest }, () => 0x61), 0]
}
