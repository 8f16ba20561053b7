/** Who asks for an explanation, and how it is judged. */
import type { Random } from '../../observe/clock.ts'
import type { PodResolvConf } from '../resolver/pod-resolv-conf.ts'
import type { Libc, ResolverConfig } from '../resolver/resolver-config.ts'
import type { Standpoint } from './destination.ts'
import type { Names } from './names.ts'

export interface Asker extends Standpoint {
  readonly names: Names
  /** The pod's resolv.conf, and why it is so. */
  readonly resolver: PodResolvConf
  /** What its C library reads there. */
  readonly config: ResolverConfig
  readonly libc: Libc
  /** The addresses of the cluster's DNS server. */
  readonly clusterDns: readonly string[]
  /** Whether Secrets are known. */
  readonly secrets: boolean
  readonly random: Random
}

/** Exit codes of the command. */
export const exits = {
  reachable: 0,
  unknown: 1,
  'not resolvable': 2,
  'no endpoint': 3,
  denied: 4,
} as const

export interface Judgement {
  readonly verdict: keyof typeof exits
  /** The reason, a sentence without its full stop. */
  readonly why: string
}
