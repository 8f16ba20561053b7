/** The names that kube-proxy 1.34 gives to chains of iptables, and how it writes numbers and comments. */
import { hash } from 'node:crypto'
import { type Destination, nameOf } from '../route.ts'

/** The chains of one destination; all of their names end in one hash. */
export interface ChainNames {
  /** Chooses among the endpoints for the policy Cluster. */
  readonly cluster: string
  /** Chooses among the endpoints for the policy Local. */
  readonly local: string
  /** Takes what comes for addresses that the outside uses. */
  readonly external: string
  /** Lets in the source ranges of load balancers. */
  readonly firewall: string
}

export function chainNames(destination: Destination): ChainNames {
  const tail = shortHash(seedOf(destination))
  return {
    cluster: `KUBE-SVC-${tail}`,
    local: `KUBE-SVL-${tail}`,
    external: `KUBE-EXT-${tail}`,
    firewall: `KUBE-FW-${tail}`,
  }
}

/** The chain of one endpoint, whose address is written as `Backend.address` has it. */
export function endpointChain(destination: Destination, address: string): string {
  return `KUBE-SEP-${shortHash(seedOf(destination) + address)}`
}

/** Which chains kube-proxy makes and removes as services come and go. */
export const ownChain = /^KUBE-(SVC|SVL|EXT|FW|SEP)-/

function seedOf(destination: Destination): string {
  return nameOf(destination) + destination.protocol.toLowerCase()
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The first 16 letters of a SHA-256 hash in base 32 (RFC 4648), which are its first ten octets. */
export function shortHash(text: string): string {
  const octets = hash('sha256', text, 'buffer')
  let letters = ''
  for (let at = 0; at < 10; at += 5) {
    // 40 bits: more than the bitwise operators take.
    let rest = octets.readUIntBE(at, 5)
    let part = ''
    for (let i = 0; i < 8; i++) {
      part = alphabet[rest % 32]! + part
      rest = Math.floor(rest / 32)
    }
    letters += part
  }
  return letters
}

/** One in `n`, with the ten digits that kube-proxy gives; the kernel keeps it in units of 2^-31. */
export function probability(n: number): string {
  return (1 / n).toFixed(10)
}

/** Longest comment that the kernel takes, its closing zero left out. */
const longestComment = 255

/** A comment as iptables-restore reads it. Names of a cluster never need the care; those of a file that nobody checked might. */
export function comment(text: string): string {
  const safe = /["\\\p{Cc}]/u.test(text) ? text.replace(/["\\\p{Cc}]/gu, '_') : text
  return `-m comment --comment "${safe.slice(0, longestComment)}"`
}
