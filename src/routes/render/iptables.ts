/**
 * Routes as rules of iptables: those that kube-proxy 1.34 would have on the node, in its chains and with its names, so that people
 * and tools find what they know. Pure text; loading it is left to others.
 */
import type { Family } from '../../wire/address.ts'
import type { Destination } from '../route.ts'
import { type RenderOptions, settingOf } from '../setting.ts'
import type { Routes } from '../table.ts'
import { changed, type Further, inOrder, restoreText } from './iptables-chains.ts'
import { partOf } from './iptables-destination.ts'
import { frame, jumps, nodePortJumps } from './iptables-frame.ts'
import { destinationsOf, Parts, type Rules } from './rules.ts'
import { changes } from './stretch.ts'

export interface IptablesOptions extends RenderOptions {
  /** Whether the rules that lead from the kernel's chains to ours are there. Default: true; loaded twice they would be there twice. */
  readonly jumps?: boolean
  /** Whether packets are counted in nfacct objects, as kube-proxy has it; the objects must exist. Default: false. */
  readonly accounting?: boolean
  /** Whether packets that conntrack takes for invalid are forwarded, as kube-proxy's `--conntrack-tcp-be-liberal` has it. Default: false. */
  readonly liberal?: boolean
}

/** From so many endpoints on kube-proxy gives no comments to the rules of each. */
const manyEndpoints = 1000

/** The rules of one family as they follow the routes: text for `iptables-restore --noflush`, or `ip6tables-restore`. */
export class IptablesRules implements Rules {
  readonly family: Family
  readonly #parts = new Parts(inOrder)
  #counted: readonly Destination[] = []
  /** How many endpoints these have. */
  #endpoints = 0

  constructor(family: Family) {
    this.family = family
  }

  /** What leads from the kernel's chains to these is not part of them; see `jumps`. */
  update(destinations: readonly Destination[], options: IptablesOptions): void {
    const { accounting = false, jumps = true, liberal = false } = options
    const comments = this.#endpointsOf(destinations) <= manyEndpoints
    const writing = { ...settingOf(options), accounting, comments, jumps, liberal }
    this.#parts.update(destinations, writing, () => ({
      first: frame(writing, writing),
      partOf: destination => partOf(destination, writing),
      last: nodePortJumps(writing),
    }))
  }

  /** With what else is to be done, and chains that are to go, by their keys. */
  whole(further: Further = {}, stale: readonly string[] = []): string {
    const gone = stale.map(key => [key, undefined] as const)
    return restoreText([...this.#parts.merged.content(), ...gone], further)
  }

  /** Whether there is a chain of this key among the rules. */
  has(key: string): boolean {
    return this.#parts.merged.get(key) !== undefined
  }

  change(): string {
    return restoreText(changed(this.#parts.merged.differences()), {})
  }

  settle(): void {
    this.#parts.merged.settle()
  }

  #endpointsOf(destinations: readonly Destination[]): number {
    const { gone, fresh } = changes(this.#counted, destinations)
    for (const destination of gone) this.#endpoints -= endpointsOf(destination)
    for (const destination of fresh) this.#endpoints += endpointsOf(destination)
    this.#counted = destinations
    return this.#endpoints
  }
}

function endpointsOf({ backends }: Destination): number {
  return new Set(backends.map(({ address }) => address)).size
}

/** Text for `iptables-restore --noflush` or `ip6tables-restore --noflush`, as the family is. */
export function renderIptables(routes: Pick<Routes, 'destinations'>, options: IptablesOptions): string {
  const rules = new IptablesRules(options.family)
  rules.update(destinationsOf(routes, options.family), options)
  return rules.whole(options.jumps === false ? {} : jumps)
}
