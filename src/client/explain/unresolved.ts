/** Why a name has no address: what the name that was meant lacks, or why it was never asked for. */
import type { ClusterView } from '../../cluster/contract.ts'
import { hint } from '../../corefile/nearest.ts'
import type { Asker } from './asker.ts'
import { meaningOf } from './meaning.ts'
import type { StepFacts, Walked } from './walked.ts'

/** The name of the cluster that is meant by another; undefined for one that looks like a name of the outside. */
export function meantFor({ view, names, pod }: Asker, text: string): string | undefined {
  const [zone = 'cluster.local'] = names.zones
  const candidate = candidateOf(bare(text), pod.namespace, zone)
  return candidate && isLikely(view, candidate) ? `${candidate.labels.join('.')}.svc.${zone}` : undefined
}

interface Candidate {
  /** In front of `svc`: the last two are a service and its namespace. */
  readonly labels: readonly string[]
  /** Whether it says itself that it is a service's. */
  readonly explicit: boolean
}

/** With one label a service of the own namespace is meant. */
function candidateOf(name: string, own: string, zone: string): Candidate | undefined {
  for (const end of [`.svc.${zone}`, '.svc']) {
    if (name.endsWith(end)) return { labels: name.slice(0, -end.length).split('.'), explicit: true }
  }
  const labels = name.split('.')
  if (labels.length > 3) return undefined
  return { labels: labels.length === 1 ? [...labels, own] : labels, explicit: false }
}

/** No other server knows such a name: its namespace is there, or nearly, or its service is somewhere else. */
function isLikely(view: ClusterView, { labels, explicit }: Candidate): boolean {
  const [namespace = '', service = ''] = labels.toReversed()
  const namespaces = [...view.list('Namespace')].map(({ name }) => name)
  if (explicit || namespaces.includes(namespace)) return true
  const isService = [...view.list('Service')].some(({ name }) => name === service)
  return labels.length === 2 && (isService || hint(namespace, namespaces) !== '')
}

/** A sentence without its full stop; undefined where another server may know the name. */
export function lackOf(asker: Asker, name: string, walk: Walked): string | undefined {
  const { steps, outcome } = walk
  const meant = meantFor(asker, name)
  if (outcome === 'unknown') return meant === undefined ? undefined : strangers(asker, meant)
  if (steps.length === 0) return `${name} is no name that can be asked for (${outcome})`
  return skipped(asker, name, steps) ?? lacking(asker, meant, steps) ?? `no name of the walk exists (${outcome})`
}

/** Of a pod that asks other servers than the cluster's; undefined where it asks the cluster's, and the name leads out. */
function strangers({ config, clusterDns, pod, resolver }: Asker, meant: string): string | undefined {
  if (config.servers.some(server => clusterDns.includes(server))) return undefined
  const { nameservers } = resolver.conf
  if (pod.dns.policy === 'None' && nameservers.length === 0)
    return `${resolver.reason}, and no nameserver is named there: ${meant} is asked of nobody`
  const who = nameservers.length > 0 ? nameservers.join(', ') : 'its nameservers'
  const mend = pod.hostNetwork ? 'ClusterFirstWithHostNet' : 'ClusterFirst'
  return `${resolver.reason}, and ${who} cannot know ${meant}: with dnsPolicy ${mend} the cluster's DNS server is asked`
}

/** A name of the search list that exists and was not asked for: the library stopped before, or the entry was left out. */
function skipped(
  { view, names, config, resolver, pod, libc }: Asker,
  text: string,
  steps: readonly StepFacts[],
): string | undefined {
  if (text.endsWith('.')) return undefined
  const asked = new Set(steps.map(({ name }) => name.toLowerCase()))
  const exists = (entry: string) => {
    const meaning = meaningOf(view, names.zones, `${text}.${entry}`, 'A')
    return !asked.has(`${text}.${entry}`.toLowerCase()) && meaning?.service !== undefined && meaning.lack === undefined
  }
  const next = config.search.find(exists)
  if (next !== undefined) {
    const found = `${text}.${next} exists, but ${libc} does not ask for it`
    if (steps.length === 1 && steps[0]!.search === undefined)
      return `${found}: with ndots:${config.ndots}, ${text} has dots enough to be asked for as it stands, and nothing else is`
    return `${found}: its search ends at ${steps.at(-1)!.name}, which exists without an address`
  }
  const dropped = pod.dns.searches.filter(entry => !resolver.conf.search.includes(entry)).find(exists)
  if (dropped === undefined) return undefined
  const why =
    resolver.findings.find(finding => finding.includes(dropped)) ?? `${dropped} was left out of the search list`
  return `${text}.${dropped} exists, but is not asked for: ${why}`
}

/** What the name that came closest lacks: one whose service is there, the one that was meant, any. */
function lacking({ view, names }: Asker, meant: string | undefined, steps: readonly StepFacts[]): string | undefined {
  const meanings = steps.map(({ name }) => ({ name, meaning: meaningOf(view, names.zones, name, 'A') }))
  const close =
    meanings.find(({ meaning }) => meaning?.service !== undefined && meaning.lack !== undefined) ??
    meanings.find(({ name }) => name.toLowerCase() === meant)
  if (close?.meaning?.lack !== undefined) return close.meaning.lack
  const records = steps.flatMap(({ questions }) => questions.flatMap(({ records }) => records))
  const alias = records.findLast(({ type }) => type === 'CNAME')
  if (alias !== undefined) return `it is an alias of ${alias.data}, which has no address`
  const [failed] = steps.flatMap(({ questions }) => questions.flatMap(({ why }) => why ?? []))
  return meanings.find(({ meaning }) => meaning?.lack)?.meaning?.lack ?? failed
}

function bare(text: string): string {
  return text.replace(/\.$/, '').toLowerCase()
}
