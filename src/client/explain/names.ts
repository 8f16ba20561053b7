/** The cluster's DNS server as an explanation asks it: a plugin chain behind a few words. */
import ipaddr from 'ipaddr.js'
import type { Answer } from '../../wire/answer.ts'
import { type NameKey, nameFromText, nameToText, textFromKey } from '../../wire/name.ts'
import { makeQuery, type Query } from '../../wire/query.ts'
import { decode, type Record } from '../../wire/record.ts'
import { Bit, Rcode, rcodeName, Type, typeName } from '../../wire/types.ts'
import { zonesOfNames } from '../../zone/address.ts'
import type { AddressType, Reply } from '../resolver/walk.ts'

export interface Names {
  /** The zones of the cluster without their last dot, such as `cluster.local`. */
  readonly zones: readonly string[]
  /** Whether servers outside of the cluster are asked too. */
  readonly asksOthers: boolean
  /** Asks as if the client at this address had; `name` is absolute, without its last dot. */
  ask(name: string, type: AddressType, client: string): Promise<Answered>
}

export interface Answered {
  readonly rcode: number
  readonly truncated: boolean
  /** The answer section. */
  readonly records: readonly RecordFacts[]
  /** Who made the answer; empty for the server itself. */
  readonly plugin: string
  /** Why it failed, as the log would say it. */
  readonly error: string | undefined
  /** Whether it depends on a server that was not asked; `error` says which. */
  readonly unasked: boolean
}

export interface RecordFacts {
  readonly name: string
  readonly type: string
  /** Seconds. */
  readonly ttl: number
  readonly data: string
}

/** The code of the error with which a plugin says that it would ask another server, and does not from here. */
export const NOT_ASKED = 'PORTOLAN_NOT_ASKED'

/** What a server's blocks make of a query. */
type Ask = (query: Query) => Made | Promise<Made>

interface Made {
  readonly answer: Answer
  readonly plugin: string
  readonly error?: Error
}

export function namesOf(zones: readonly string[], asksOthers: boolean, ask: Ask): Names {
  return {
    zones,
    asksOthers,
    async ask(text, type, client) {
      const name = nameFromText(text)
      if (name === undefined) throw new TypeError(`${text} is no name`)
      const peer = { protocol: 'tcp', address: client, port: 0, localAddress: '', localPort: 53 } as const
      const { answer, plugin, error } = await ask(makeQuery(name, Type[type], { peer }))
      const records = decode(answer, name)?.answers ?? []
      return {
        rcode: answer.rcode,
        truncated: (answer.bits & Bit.TC) !== 0,
        records: records.map(factsOf),
        plugin,
        error: error?.message,
        unasked: error !== undefined && 'code' in error && error.code === NOT_ASKED,
      }
    },
  }
}

function factsOf({ owner, type, ttl, rdata }: Record): RecordFacts {
  const name = typeof owner === 'number' ? '' : plain(nameToText(owner))
  return { name, type: typeName(type), ttl, data: dataOf(type, rdata) }
}

function dataOf(type: number, rdata: Uint8Array): string {
  if (type === Type.A || type === Type.AAAA) return ipaddr.fromByteArray([...rdata]).toString()
  if (type === Type.CNAME || type === Type.DNAME) return plain(nameToText(rdata))
  return `${rdata.length} octets`
}

function plain(name: string): string {
  return name.replace(/\.$/, '')
}

/** Zones of names among the suffixes that plugins answer below, as `Names` has them. */
export function zoneTexts(suffixes: Iterable<NameKey>): string[] {
  return zonesOfNames(suffixes).map(key => plain(textFromKey(key)))
}

/** What a resolver library sees of it. */
export function replyOf({ rcode, records }: Answered, type: AddressType): Reply {
  const addresses = records.filter(record => record.type === type).map(({ data }) => data)
  return { rcode, truncated: false, answers: records.length, addresses, lame: false }
}

/** In a word: `NOERROR`, `NODATA`, another response code, or `not asked`. */
export function outcomeText({ rcode, records, unasked }: Answered): string {
  if (unasked) return 'not asked'
  if (rcode !== Rcode.NOERROR) return rcodeName(rcode)
  return records.length > 0 ? 'NOERROR' : 'NODATA'
}
