/**
 * What answer threads count, in shared memory: a block of plain words for each label set (server and zone) and thread. They only
 * grow and wrap at 2³²; the control thread adds up the differences often enough (`observe/traffic-folder.ts`).
 */
import { Type } from '../wire/types.ts'

/** The units that durations are counted in: 100 ns. */
export const UNITS_PER_SECOND = 1e7
export const UNITS_PER_MS = UNITS_PER_SECOND / 1000

/** Bounds of histogram buckets, as CoreDNS has them; the last bucket has none. Durations in units of 100 ns. */
export const DURATION_BUCKETS: readonly number[] = Array.from({ length: 16 }, (_, i) => 2_500 * 2 ** i)
export const SIZE_BUCKETS: readonly number[] = [
  0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3,
]

/** Types that are counted apart, by their place in this list plus 1; 0 is for all others. */
export const COUNTED_TYPES = [
  'A', 'AAAA', 'CNAME', 'DNSKEY', 'DS', 'MX', 'NSEC3', 'NSEC', 'NS', 'PTR', 'RRSIG', 'SOA', 'SRV', 'TXT', 'HTTPS', 'SVCB', 'IXFR', 'AXFR',
  'ANY',
] as const // biome-ignore format: as a list

const typePlaces = new Uint8Array(256)
for (const [i, name] of COUNTED_TYPES.entries()) typePlaces[Type[name]] = i + 1

/** The place of a type. */
export function typePlace(type: number): number {
  return type < 256 ? typePlaces[type]! : 0
}

/** How a query came: the two low bits of a request's number. */
export const Transport = { UDP4: 0, UDP6: 1, TCP4: 2, TCP6: 3 } as const
export type Transport = (typeof Transport)[keyof typeof Transport]

/** Words of a block, from its start. */
export const Counted = {
  /** By type place << 2 | transport. */
  REQUESTS: 0,
  DNSSEC_OK: 80,
  /** By bucket. */
  DURATIONS: 81,
  /** By `tcp`, and then by bucket. */
  REQUEST_SIZES: 98,
  RESPONSE_SIZES: 128,
  /** By source (0 zone, 1 cache), 16 rcodes each. */
  RESPONSES: 158,
  /** Hits of kept answers: positive ones, and denials. */
  CACHE_SUCCESS: 190,
  CACHE_DENIAL: 191,
  /** `Sum.COUNT` of them, two words each. */
  SUMS: 192,
  WORDS: 208,
} as const

/** Buckets of one size histogram. */
export const SIZE_COUNTS = SIZE_BUCKETS.length + 1

/** Sums of what was counted in buckets: durations in units of 100 ns, and by `tcp` sizes in octets. */
export const Sum = { DURATIONS: 0, REQUEST_SIZES: 1, RESPONSE_SIZES: 3, COUNT: 5 } as const

/**
 * The words of blocks as numbers of 64 bits, for their sums: `sumAt` says where one stands. As whole words they would pass 2³² within
 * seconds, before a busy control thread comes to look. Where answer threads run, such a number is read and written at once.
 */
export function sumsOf(blocks: Uint32Array): Float64Array {
  return new Float64Array(blocks.buffer, blocks.byteOffset, blocks.length >> 1)
}

/** Where a sum stands of the block that begins at that word. */
export function sumAt(block: number, sum: number): number {
  return ((block + Counted.SUMS) >> 1) + sum
}

/** The most label sets; a cut beyond them is not answered from the table. */
export const MAX_COUNTERS = 128
