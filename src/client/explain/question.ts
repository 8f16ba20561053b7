/** What `portolan explain` is asked, in the words of a command line or of a URL, and the answer from what is known of a cluster. */
import type { ClusterView } from '../../cluster/contract.ts'
import type { Kind, Pod } from '../../cluster/objects.ts'
import { resolvConfText } from '../../net/resolv-conf.ts'
import type { Random } from '../../observe/clock.ts'
import { questionError, renderOptionsOf, type Said, wordOf } from '../../routes/facts/question.ts'
import { clusterDns, podKey, podNamed } from '../cluster-pod.ts'
import { type IngressRequest, parseIngressUrl } from '../ingress/route.ts'
import { type PodResolvConf, podResolvConf } from '../resolver/pod-resolv-conf.ts'
import { libcs, resolverConfig } from '../resolver/resolver-config.ts'
import { adviceOf } from './advice.ts'
import { standpointOf } from './destination.ts'
import { explain, readTarget } from './explain.ts'
import type { Explained } from './explained.ts'
import type { Names } from './names.ts'

export interface KnownCluster {
  readonly view: ClusterView
  readonly names: Names
  /** Kinds that could not be read, and why: part of a sentence. */
  readonly lacking: ReadonlyMap<Kind, string>
  readonly random: Random
}

/** A question that was understood. `answer` throws PORTOLAN_NO_POD where the cluster has no such pod. */
export interface ExplainQuestion {
  answer(cluster: KnownCluster): Promise<Explained>
}

/** What may be said with a question, beside the name: options, or parameters of a URL. */
export const whatIsSaid = [
  ...['from', 'libc', 'cluster-dns', 'cluster-domain', 'node-resolv-conf'],
  ...['cluster-cidr', 'masquerade-all', 'nodeport-addresses'],
]

/** Throws PORTOLAN_USAGE for what cannot be understood. */
export function explanation(target: string | undefined, said: Said): ExplainQuestion {
  if (target === undefined) throw questionError('which name? write one like web, web.shop:80 or https://shop.example/')
  const request = parseIngressUrl(target)
  const read = request ? { name: request.host, door: { port: portOf(target) } } : readTarget(target)
  if (read === undefined)
    throw questionError(
      `"${target}" is neither a name nor a URL: write one like web.shop:80, 10.96.0.10:53/UDP or https://shop.example/`,
    )
  const from = podKey(said.text('from'))
  const libc = wordOf(said, 'libc', libcs, 'glibc')
  const { node: _, ...flags } = renderOptionsOf(said, undefined)
  return {
    async answer(cluster) {
      const { view, names, random, lacking } = cluster
      const pod = podNamed(view, from)
      const known = clusterDns(view, said.text('cluster-dns'))
      const servers = known.length > 0 ? known : [usualDns]
      const resolver = resolverOf(pod, servers, names, said)
      const config = resolverConfig(resolvConfText(resolver.conf), libc)
      const asker = {
        ...standpointOf(view, pod, flags),
        ...{ names, random, resolver, config, libc },
        clusterDns: servers,
        secrets: !lacking.has('Secret'),
      }
      const found = await explain(asker, { ...read, request })
      const notes = [...found.notes, ...lackNotes(lacking, request)]
      const findings = [...resolver.findings, ...(known.length > 0 ? [] : [noDnsService])]
      const facts = {
        ...found,
        notes,
        from,
        target,
        libc,
        resolver: { ...resolver.conf, reason: resolver.reason, findings },
      }
      return { ...facts, advice: adviceOf(facts, pod) }
    },
  }
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url)
  return Number(port || (protocol === 'https:' ? 443 : 80))
}

/** What stands for the DNS server of a cluster that has no service for it: kubeadm's default. */
const usualDns = '10.96.0.10'
const noDnsService = `there is no service kube-system/kube-dns: ${usualDns} stands for the cluster's DNS server`

function resolverOf(
  { namespace, hostNetwork, dns }: Pod,
  servers: readonly string[],
  names: Names,
  said: Said,
): PodResolvConf {
  return podResolvConf({
    ...{ namespace, hostNetwork, dns },
    nodeFile: said.text('node-resolv-conf'),
    clusterDNS: servers,
    clusterDomain: said.text('cluster-domain') ?? names.zones[0] ?? 'cluster.local',
  })
}

/** What was not looked at, because it could not be read. */
function lackNotes(lacking: ReadonlyMap<Kind, string>, request: IngressRequest | undefined): string[] {
  const needed: Kind[] = ['NetworkPolicy', 'Node', ...(request ? (['Ingress', 'IngressClass', 'Secret'] as const) : [])]
  return needed.flatMap(kind =>
    lacking.has(kind) ? [`objects of kind ${kind} were left out: ${lacking.get(kind)}`] : [],
  )
}
