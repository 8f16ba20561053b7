/**
 * Follows the names behind an ExternalName service (or a slice of names): within the zone by looking them up, outside by asking
 * the server's own chain.
 */
import type { Reply } from '../../plugin/plugin.ts'
import type { Answer } from '../../wire/answer.ts'
import { isWithin, keyOfName, type NameKey } from '../../wire/name.ts'
import { makeQuery, type Query } from '../../wire/query.ts'
import { decode, encode, type Record } from '../../wire/record.ts'
import { Bit, Type } from '../../wire/types.ts'
import type { ClusterZones } from '../../zone/cluster-zones.ts'
import type { External } from '../../zone/node.ts'
import type { OriginZone } from '../../zone/origin-zone.ts'
import { AUTHORITATIVE, addressRecord, nameRecord } from '../../zone/rdata.ts'

/** A chain of names ends here: CoreDNS follows eleven. */
const MAX_CHAIN = 11

/** Names that each stand for many multiply: no more than this are followed for one query. */
const MAX_TARGETS = 500

export interface Following {
  readonly zones: ClusterZones
  readonly zone: OriginZone
  readonly ttl: number
  ask(query: Query): Reply | Promise<Reply>
}

/** The same for one query, and how many targets it has followed. */
interface Walk extends Following {
  followed: number
}

/** The records found on the way, and whether the way ended in itself or was too long: then there is no answer at all. */
interface Found {
  readonly records: readonly Record[]
  readonly truncated: boolean
  readonly lost: boolean
}

/** The answer to an A or AAAA query for a name that stands for others; NODATA where nothing comes of them. */
export async function followed(query: Query, external: External, following: Following): Promise<Answer> {
  const found = await follow(query, query.key, 0, external, [], { ...following, followed: 0 })
  if (found.records.length === 0) return following.zone.nodata(query.key.length)
  const bits = AUTHORITATIVE.bits | (found.truncated ? Bit.TC : 0)
  return encode({ answers: found.records, authorities: [], additionals: [] }, query.key.length, { bits })
}

async function follow(
  query: Query,
  key: NameKey,
  owner: Record['owner'],
  external: External,
  chain: readonly NameKey[],
  walk: Walk,
): Promise<Found> {
  const size = query.type === Type.A ? 4 : 16
  const records = external.addresses
    .filter(octets => octets.length === size)
    .map(octets => addressRecord(owner, octets, walk.ttl))
  let truncated = false
  let lost = false
  for (const target of external.targets) {
    const targetKey = keyOfName(target)
    // A name that leads to itself or below itself, to one that was passed already, or on for too long, leads nowhere.
    const tooLong = chain.length >= MAX_CHAIN || walk.followed >= MAX_TARGETS
    if (tooLong || isWithin(targetKey, key) || chain.includes(targetKey)) {
      lost = true
      continue
    }
    walk.followed++
    const cname = nameRecord(owner, Type.CNAME, target, walk.ttl)
    const next = isWithin(targetKey, walk.zone.origin)
      ? await inside(query, target, targetKey, [...chain, targetKey], walk)
      : await outside(query, target, walk)
    if (next.lost && next.records.length === 0) lost = true
    else records.push(cname, ...next.records)
    truncated ||= next.truncated
  }
  return { records, truncated, lost }
}

/** A target in the zone: it is looked up as if it had been asked for. */
async function inside(
  query: Query,
  target: Uint8Array,
  key: NameKey,
  chain: readonly NameKey[],
  walk: Walk,
): Promise<Found> {
  const found = walk.zones.find(walk.zone, key, query.type)
  if ('targets' in found) return follow(query, key, target, found, chain, walk)
  return { records: decode(found, target)?.answers ?? [], truncated: false, lost: false }
}

/** A target elsewhere: the chain is asked. Where it fails the CNAME stands alone. */
async function outside(query: Query, target: Uint8Array, walk: Walk): Promise<Found> {
  const { answer } = await walk.ask(makeQuery(target, query.type, query))
  const records = decode(answer, target)?.answers ?? []
  return { records, truncated: (answer.bits & Bit.TC) !== 0, lost: false }
}
