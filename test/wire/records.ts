/** Random records as dns-packet has them, and their octets as it writes them: always without compression. */
import { type Answer, encode } from 'dns-packet'
import type { Record, Sections } from '../../src/wire/record.ts'
import type { Chance } from './random.ts'

/** Names that share tails, some in another letter case, and one that is as long as names get. */
const names = [
  '.',
  'local',
  'cluster.local',
  'Cluster.local',
  'svc.cluster.local',
  'shop.svc.cluster.local',
  'web.shop.svc.cluster.local',
  'WEB.shop.svc.cluster.local',
  'web-0.web.shop.svc.cluster.local',
  '_http._tcp.web.shop.svc.cluster.local',
  'example.org',
  'www.example.org',
  `${'x'.repeat(63)}.example.org`,
  ['a', 'b', 'c']
    .map(letter => letter.repeat(63))
    .concat('d'.repeat(61))
    .join('.'),
] as const

export const randomName = ({ pick }: Chance): string => pick(names)

export function randomRecord(source: Chance): Answer {
  const { below, pick } = source
  const name = randomName(source)
  const ttl = pick([0, 5, 300, 2 ** 31 - 1])
  switch (below(9)) {
    case 0:
      return { type: 'A', name, ttl, data: `192.0.2.${below(256)}` }
    case 1:
      return { type: 'AAAA', name, ttl, data: `2001:db8::${(1 + below(65_535)).toString(16)}` }
    case 2:
      return { type: pick(['CNAME', 'NS', 'PTR', 'DNAME'] as const), name, ttl, data: randomName(source) }
    case 3:
      return { type: 'MX', name, ttl, data: { preference: below(65_536), exchange: randomName(source) } }
    case 4:
    case 5: {
      const data = { priority: below(65_536), weight: below(65_536), port: below(65_536), target: randomName(source) }
      return { type: 'SRV', name, ttl, data }
    }
    case 6: {
      const numbers = { serial: below(2 ** 31), refresh: 7200, retry: 1800, expire: 86_400, minimum: 5 }
      return { type: 'SOA', name, ttl, data: { mname: randomName(source), rname: 'hostmaster', ...numbers } }
    }
    case 7:
      return { type: 'TXT', name, ttl, data: ['x'.repeat(below(256)), 'y'] }
    default:
      return { type: 'NULL', name, ttl, data: Buffer.alloc(below(300), 7) }
  }
}

/** The octets of a record, as if it stood alone. */
export function octetsOf(answer: Answer): Buffer {
  return encode({ type: 'response', answers: [answer] }).subarray(12)
}

/** The record that these octets are. */
function recordOf(answer: Answer): Record {
  const octets = octetsOf(answer)
  let at = 0
  while (octets[at] !== 0) at += octets[at]! + 1
  at++
  return {
    owner: octets.subarray(0, at),
    type: octets.readUInt16BE(at),
    class: octets.readUInt16BE(at + 2),
    ttl: octets.readUInt32BE(at + 4),
    rdata: octets.subarray(at + 10),
  }
}

/** Random records for the three sections. */
export function randomSections(source: Chance, most: number): { [section in Section]: Answer[] } {
  const some = () => Array.from({ length: source.below(most + 1) }, () => randomRecord(source))
  return { answers: some(), authorities: some(), additionals: some() }
}

/** The records of all sections. */
export function recordsOf({ answers, authorities, additionals }: ReturnType<typeof randomSections>): Sections {
  return {
    answers: answers.map(recordOf),
    authorities: authorities.map(recordOf),
    additionals: additionals.map(recordOf),
  }
}

export const sections = ['answers', 'authorities', 'additionals'] as const
export type Section = (typeof sections)[number]
