/** By a hash of an address: `sh` and `dh` of IPVS (`ip_vs_sh.c`, `ip_vs_dh.c`; Linux from 4.19 on, where the hash became hash_32). */
import { addressOctets } from '../../wire/address.ts'
import type { Discipline, Member } from './scheduler.ts'

const buckets = 256

/**
 * By the client's address: a client has the same backend for as long as the backends are the same. A backend has as many buckets in a
 * row as its weight says. Ports do not count (IPVS has the flag sh-port for that).
 */
export function sourceHashing(): Discipline {
  return hashing(
    ({ weight }) => weight,
    client => client,
  )
}

/** By the address that the client connects to, so one virtual address has one backend, whoever connects. */
export function destinationHashing(virtualIP: string): Discipline {
  return hashing(
    () => 1,
    () => virtualIP,
  )
}

/**
 * Where the backend of a bucket may not be chosen, buckets are gone through as with the flag sh-fallback; without it IPVS refuses the
 * client, which is no use to anybody.
 */
function hashing(width: (member: Member) => number, keyOf: (client: string) => string): Discipline {
  let table: readonly Member[] = []
  return {
    changed(members) {
      table = filled(members, width)
    },
    pick(_, may, client) {
      if (table.length === 0) return undefined
      const hash = hashOf(keyOf(client))
      const own = table[hash]!
      if (may(own)) return own
      for (let offset = 0; offset < buckets; offset++) {
        const member = table[(2 * hash + offset) % buckets]!
        if (may(member)) return member
      }
      return undefined
    },
  }
}

/** The buckets: each member in turn, as often as it is wide and once at least; empty without members. */
function filled(members: readonly Member[], width: (member: Member) => number): Member[] {
  const round = members.flatMap(member => new Array<Member>(Math.min(buckets, Math.max(1, width(member)))).fill(member))
  return round.length === 0 ? [] : Array.from({ length: buckets }, (_, i) => round[i % round.length]!)
}

/** The golden ratio in 32 bits (`include/linux/hash.h`). */
const GOLDEN_RATIO = 0x61c88647

/**
 * The upper 8 bits of the address times the golden ratio; the four words of an IPv6 address are folded into one. A link-local address
 * with its interface hashes as 0.0.0.0.
 */
function hashOf(ip: string): number {
  const octets = addressOctets(ip) ?? new Uint8Array(4)
  const words = new DataView(octets.buffer)
  let folded = 0
  for (let at = 0; at < octets.length; at += 4) folded ^= words.getUint32(at)
  return Math.imul(folded, GOLDEN_RATIO) >>> 24
}
