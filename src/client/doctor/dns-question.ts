/** What DNS pods are asked, and what is wrong with what they say: they must know what the API server knows. */
import { isMissing } from './check.ts'
import type { Heard, World } from './world.ts'

export interface DnsQuestion {
  /** Absolute, without its last dot. */
  readonly name: string
  readonly type: 'A' | 'AAAA'
  /** The addresses that the cluster's objects give it: a server must know one of them. None where nobody knows. */
  readonly wanted: readonly string[]
}

/** The service kubernetes, which every cluster has, and the name that was given where it leads to addresses of the cluster. */
export function dnsQuestions(world: World): DnsQuestion[] {
  const { view, zone, target } = world
  const known = view.service('default/kubernetes')?.clusterIPs ?? []
  const questions = [question(`kubernetes.default.svc.${zone}`, known)]
  if (isMissing(target) || target.walk.outcome !== 'found') return questions
  const { steps, addresses } = target.walk
  // Whoever makes answers of something else than the cluster may make others.
  const given = steps
    .slice(-1)
    .filter(step => step.questions.every(({ plugin }) => plugin === 'kubernetes') && step.name.endsWith(`.${zone}`))
    .filter(({ name }) => name !== questions[0]!.name)
  return [...questions, ...given.map(({ name }) => question(name, addresses))]
}

function question(name: string, addresses: readonly string[]): DnsQuestion {
  const six = addresses[0]?.includes(':') ?? false
  return { name, type: six ? 'AAAA' : 'A', wanted: addresses.filter(ip => ip.includes(':') === six) }
}

export interface Complaint {
  /** What it says or does: goes on after who it is. */
  readonly seen: string
  readonly means: string
}

const meanings: Readonly<Record<string, string>> = {
  SERVFAIL: 'it has not read the cluster (its API server, its account), or forwards in a loop',
  NXDOMAIN: 'it does not know what the API server knows: another zone, a limit of namespaces, or a watch that was lost',
}

/** Undefined for a reply that says what the API server does. */
export function complaint({ name, wanted }: DnsQuestion, heard: Heard): Complaint | undefined {
  if (heard.rcode === undefined) {
    const means = 'it counts as ready, and clients that are sent to it wait in vain'
    return { seen: `does not answer (${heard.silence})`, means }
  }
  if (heard.rcode !== 'NOERROR') {
    const means = meanings[heard.rcode] ?? 'its Corefile does not serve this zone'
    return { seen: `answers ${heard.rcode} for ${name}`, means }
  }
  if (wanted.length === 0 || wanted.some(ip => heard.addresses.includes(ip))) return undefined
  const said = heard.addresses.length > 0 ? heard.addresses.join(', ') : 'no address'
  const means = 'it does not know what the API server knows: a watch that was lost, or an old answer in a cache'
  return { seen: `says ${said} for ${name}, which is ${wanted.join(', ')}`, means }
}
