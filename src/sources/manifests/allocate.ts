/**
 * Gives out addresses by name. The same names always get the same addresses, and one name more or less moves no other one, except
 * where two names want the same address.
 */
import { hash } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import { messageOf, PortolanError } from '../../errors.ts'
import type { Family } from '../../wire/address.ts'

/** Part of an address range: `size` addresses from `first` on. */
export interface Pool {
  readonly range: string
  readonly family: Family
  readonly first: bigint
  readonly size: number
}

/**
 * Parses ranges in CIDR form, one per family, the primary one first. Like the API server's, each pool leaves the lowest addresses
 * to those who choose their own: 16 to 256, a sixteenth of the range (KEP-3070).
 */
export function parsePools(ranges: readonly string[]): Pool[] {
  const pools = ranges.map(parsePool)
  if (new Set(pools.map(({ family }) => family)).size < pools.length) {
    throw new PortolanError('PORTOLAN_MANIFESTS_RANGE', `at most one range of each family, got ${ranges.join(' ')}`)
  }
  return pools
}

function parsePool(range: string): Pool {
  const [address, prefix] = parseCidr(range)
  const family = address.kind() === 'ipv4' ? 'IPv4' : 'IPv6'
  const bits = (family === 'IPv4' ? 32 : 128) - prefix
  const whole = 2 ** Math.min(bits, 32)
  const kept = Math.min(Math.max(16, whole / 16), 256)
  // The last address of an IPv4 range is its broadcast address.
  const size = whole - kept - 1
  if (size < 1)
    throw new PortolanError('PORTOLAN_MANIFESTS_RANGE', `the range ${range} is too small: give 32 addresses at least`)
  const start = toNumber(address.toByteArray()) & ~((1n << BigInt(bits)) - 1n)
  return { range, family, first: start + BigInt(kept), size }
}

function parseCidr(range: string): ReturnType<typeof ipaddr.parseCIDR> {
  try {
    return ipaddr.parseCIDR(range)
  } catch (cause) {
    const message = `${JSON.stringify(range)} is not an address range, write one like 10.244.0.0/16 (${messageOf(cause)})`
    throw new PortolanError('PORTOLAN_MANIFESTS_RANGE', message, { cause })
  }
}

/** Gives each name an address of the pool that is not in `taken`. Throws where the pool is too small. */
export function allocate(pool: Pool, names: Iterable<string>, taken: ReadonlySet<string>): Map<string, string> {
  const address = (slot: number) => toAddress(pool.first + BigInt(slot), pool.family)
  const slots = scatter(names, pool.size, slot => !taken.has(address(slot)))
  if (!slots) {
    const message = `the range ${pool.range} has only ${pool.size} addresses to give out: configure a larger one`
    throw new PortolanError('PORTOLAN_MANIFESTS_RANGE', message)
  }
  return new Map([...slots].map(([name, slot]) => [name, address(slot)]))
}

/** Five letters for each name, as the API server's random suffixes look; no two alike. */
export function suffixes(names: Iterable<string>): Map<string, string> {
  const letters = 'bcdfghjklmnpqrstvwxz2456789'
  const spell = (slot: number) =>
    Array.from({ length: 5 }, (_, place) => letters[Math.trunc(slot / 27 ** place) % 27]).join('')
  const slots = scatter(names, 27 ** 5, () => true) ?? []
  return new Map([...slots].map(([name, slot]) => [name, spell(slot)]))
}

/** Puts each name into a slot of its own: the one that its hash says, else the next free one. Undefined where slots run out. */
function scatter(
  names: Iterable<string>,
  size: number,
  free: (slot: number) => boolean,
): Map<string, number> | undefined {
  const slots = new Map<string, number>()
  const used = new Set<number>()
  for (const name of [...new Set(names)].sort()) {
    let slot = hash('sha256', name, 'buffer').readUIntBE(0, 6) % size
    for (let tries = 1; used.has(slot) || !free(slot); tries++) {
      if (tries === size) return undefined
      slot = (slot + 1) % size
    }
    used.add(slot)
    slots.set(name, slot)
  }
  return slots
}

function toNumber(bytes: readonly number[]): bigint {
  return bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n)
}

function toAddress(number: bigint, family: Family): string {
  const length = family === 'IPv4' ? 4 : 16
  const bytes = Array.from({ length }, (_, index) => Number((number >> BigInt(8 * (length - 1 - index))) & 0xffn))
  return ipaddr.fromByteArray(bytes).toString()
}
