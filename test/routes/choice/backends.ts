/** Backends named by the last number of their address, and a chance that can be had again. */
import type { Random } from '../../../src/observe/clock.ts'
import type { Backend } from '../../../src/routes/route.ts'

export function backend(number: number): Backend {
  const ip = `10.0.0.${number}`
  const state = { ready: true, serving: true, terminating: false }
  const place = { nodeName: '', zone: '', targetName: '', hints: { forZones: [], forNodes: [] } }
  return { ip, port: 80, address: `${ip}:80`, ...state, ...place }
}

export const backends = (...numbers: readonly number[]): Backend[] => numbers.map(backend)

export const numberOf = (found: Backend | undefined): number => Number(found?.ip.split('.')[3] ?? 0)

/** The i-th client, each with an address of its own. */
export const client = (i: number): string => `192.168.${Math.floor(i / 256) % 256}.${i % 256}`

/** Park and Miller's generator; the seed is any whole number above 0. */
export function seeded(seed: number): Random {
  let state = seed % 0x7fffffff
  return () => (state = (state * 48_271) % 0x7fffffff) / 0x7fffffff
}

/** Pearson's chi-square of these counts, where all are expected to be equal. */
export function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}
