/** How a question is asked: transport, EDNS and flags; and which of these ways each question is asked in. */
import type { AskOptions } from '../asker.ts'
import { flagBits, type QueryOptions, queryBytes, types, words } from '../message.ts'
import type { NameQuestion } from './questions.ts'

/** A packet that is ready to be sent, with what is needed to judge the replies to it. */
export interface Prepared {
  readonly group: string
  /** What a person would read: `web.shop.svc.cluster.local A udp512`. */
  readonly title: string
  /** Lower-case name and type, empty where the packet is no plain question. */
  readonly name: string
  readonly type: string
  readonly packet: Buffer
  readonly transport: AskOptions['transport']
  /** Most bytes that a reply may have. */
  readonly limit?: number
  /** Silence may be right: do not ask twice. */
  readonly once?: boolean
}

interface Mode {
  readonly name: string
  readonly transport: AskOptions['transport']
  readonly limit?: number
  readonly query?: QueryOptions
}

const dnssecOk = 0x8000
const cookie = Buffer.concat([words(10, 8), Buffer.from('portolan')])

const plain: Mode = { name: 'udp', transport: 'udp', limit: 512 }
const others: readonly Mode[] = [
  { name: 'udp512', transport: 'udp', limit: 512, query: { edns: { size: 512 } } },
  { name: 'udp1232', transport: 'udp', limit: 1232, query: { edns: { size: 1232 } } },
  { name: 'udp4096do', transport: 'udp', limit: 4096, query: { edns: { size: 4096, ttl: dnssecOk, options: cookie } } },
  { name: 'tcp', transport: 'tcp' },
  { name: 'tcpdo', transport: 'tcp', query: { flags: flagBits.RD | flagBits.AD, edns: { size: 1232, ttl: dnssecOk } } },
]

/** Every question over plain UDP and in one other mode, or in all of them; which one depends on its name and type alone. */
export function prepare({ group, name, type, everyMode = false }: NameQuestion): Prepared[] {
  const chosen = everyMode ? others : [others[pick(`${name} ${type}`, others.length)]!]
  return [plain, ...chosen].map(({ name: mode, transport, limit, query }) => ({
    group,
    title: `${name} ${type} ${mode}`,
    name: name.toLowerCase(),
    type,
    packet: queryBytes(name, types[type], query),
    transport,
    ...(limit === undefined ? {} : { limit }),
  }))
}

function pick(text: string, count: number): number {
  let state = 5381
  for (const character of text) state = (state * 33 + character.charCodeAt(0)) >>> 0
  return (state >>> 7) % count
}
