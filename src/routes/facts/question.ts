/**
 * What is said with a question about routes: the options of a command, or the parameters of a URL, which have the same names and
 * mean the same.
 */
import type { Node } from '../../cluster/objects.ts'
import { PortolanError } from '../../errors.ts'
import type { Family } from '../../wire/address.ts'
import { parseRange } from '../../wire/range.ts'
import type { RenderOptions } from '../setting.ts'
import type { KnownCluster } from './cluster.ts'

/** Options or parameters by name; `node`, `from` and the like have a text, `masquerade-all` is there or not. */
export interface Said {
  /** Undefined where it was not said. */
  text(name: string): string | undefined
  has(name: string): boolean
}

/** What may be said with any of the questions, beside its words. */
export const whatIsSaid = [
  ...['node', 'from', 'cluster-cidr', 'masquerade-all', 'nodeport-addresses'],
  ...['family', 'no-jumps', 'part', 'scheduler'],
]

/** A question that was understood, so that it can be answered of a cluster. */
export interface Question<Facts> {
  /** Whether only a cluster that knows its pods can answer it. */
  readonly pods: boolean
  /** Throws PORTOLAN_USAGE, or another code that begins with PORTOLAN_ROUTES, where the cluster lacks what is asked for. */
  answer(cluster: KnownCluster): Facts
}

/** For a question that cannot be understood: code PORTOLAN_USAGE. */
export function questionError(message: string): PortolanError {
  return new PortolanError('PORTOLAN_USAGE', message)
}

const families: Readonly<Record<string, readonly Family[]>> = { 4: ['IPv4'], 6: ['IPv6'], both: ['IPv4', 'IPv6'] }

/** The families of `family`; both where it was not said. */
export function familiesOf(said: Said): readonly Family[] {
  const text = said.text('family') ?? 'both'
  if (Object.hasOwn(families, text)) return families[text]!
  throw questionError(`family is 4, 6 or both, got "${text}"`)
}

/** The word that is said. Throws PORTOLAN_USAGE where it is none of `choices`. */
export function wordOf<T extends string>(said: Said, name: string, choices: readonly T[], otherwise: T): T {
  const text = said.text(name) ?? otherwise
  const choice = choices.find(choice => choice === text)
  if (choice !== undefined) return choice
  throw questionError(`${name} is ${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}, got "${text}"`)
}

/** What is said of a node's rules. Throws PORTOLAN_USAGE for a range that is none. */
export function renderOptionsOf(said: Said, node: Node | undefined): Omit<RenderOptions, 'family'> {
  return {
    node: node ?? { name: '', zone: '', internalIPs: [] },
    clusterCIDRs: rangesOf(said, 'cluster-cidr'),
    masqueradeAll: said.has('masquerade-all'),
    nodePortAddresses: rangesOf(said, 'nodeport-addresses', 'primary'),
  }
}

function rangesOf(said: Said, name: string, word?: string): string[] {
  const texts = (said.text(name) ?? '')
    .split(',')
    .map(text => text.trim())
    .filter(text => text !== '')
  if (word !== undefined && texts.length === 1 && texts[0] === word) return texts
  for (const text of texts) {
    if (parseRange(text) === undefined)
      throw questionError(`${name}: "${text}" is no range, write one like 10.244.0.0/16`)
  }
  return texts
}
