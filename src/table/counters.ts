/**
 * What answer threads count, in shared memory: a block of plain words for each label set (server and zone) and thread. They only
 * grow and wrap at 2³²; the control thread adds up the differences often enough (`observe/traffic.ts`).
 */

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

/** How a query came: the two low bits of a request's number. */
export const Transport = { UDP4: 0, UDP6: 1, TCP4: 2, TCP6: 3 } as const
export type Transport = (typeof Transport)[keyof typeof Transport]

/** Words of a block, from its start. */
export const Counted = {
  /** By type place << 2 | transport. */
  REQUESTS: 0,
  DNSSEC_OK: 80,
  /** By bucket, and the sum in units of 100 ns. */
  DURATIONS: 81,
  DURATION_SUM: 98,
  /** By `tcp`: buckets and sum of the sizes in octets. */
  REQUEST_SIZES: 99,
  RESPONSE_SIZES: 131,
  /** By source (0 zone, 1 cache), 16 rcodes each. */
  RESPONSES: 163,
  /** Hits of kept answers: positive ones, and denials. */
  CACHE_SUCCESS: 195,
  CACHE_DENIAL: 196,
  WORDS: 208,
} as const

/** Words of one size histogram: 15 buckets and the sum. */
export const SIZE_WORDS = 16

/** The most label sets; a cut beyond them is not answered from the table. */
export const MAX_COUNTERS = 128
