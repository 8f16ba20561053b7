/** Puts together what `portolan doctor` looks at, from a cluster, this machine and files; and says of each part why it is missing. */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { networkInterfaces, release } from 'node:os'
import { join } from 'node:path'
import { podNamed } from '../client/cluster-pod.ts'
import { isMissing, type Missing } from '../client/doctor/check.ts'
import { clusterZone } from '../client/doctor/corefile-facts.ts'
import { dnsServerOf } from '../client/doctor/dns-server.ts'
import type { ConntrackFiles, Corefile, NodeRules, ResolverFacts, World } from '../client/doctor/world.ts'
import { type Standpoint, standpointOf } from '../client/explain/destination.ts'
import type { Explained } from '../client/explain/explained.ts'
import { explanation } from '../client/explain/question.ts'
import { asksCluster } from '../client/resolver/pod-resolv-conf.ts'
import type { ClusterView } from '../cluster/contract.ts'
import { type Kind, keyOf, type Node, type Pod } from '../cluster/objects.ts'
import { messageOf, PortolanError } from '../errors.ts'
import { parseResolvConf } from '../net/resolv-conf.ts'
import { readDumps } from '../routes/diff/dumps.ts'
import { readKernel } from '../routes/diff/kernel.ts'
import { nodeOf } from '../routes/facts/cluster.ts'
import { renderOptionsOf, type Said } from '../routes/facts/question.ts'
import { type Arguments, usageError } from './arguments.ts'
import { networkFrom } from './doctor-network.ts'
import { corefileInUse, type ReadCorefile, truncatedEndpoints } from './doctor-objects.ts'
import { fileText } from './file-text.ts'
import { kubeadmCorefile, type OfflineServer, offlineServer } from './offline-server.ts'
import { saidBy } from './pod-options.ts'
import { readState } from './routes-cluster.ts'
import type { Shell } from './shell.ts'

const kinds: readonly Kind[] = ['Namespace', 'Service', 'EndpointSlice', 'Pod']
const optional: readonly Kind[] = ['Node', 'NetworkPolicy']
/** What a URL may be of. */
const ofUrls: readonly Kind[] = ['Ingress', 'IngressClass', 'Secret']

const UNREADABLE = 'PORTOLAN_DOCTOR_FILE'

/** What this machine is in the cluster, told by its addresses. */
interface Place {
  readonly node: Node | undefined
  readonly pod: Pod | undefined
}

export async function worldOf(given: Arguments, shell: Shell): Promise<World> {
  const said = saidBy(given)
  // What is wrong with the question is told before anybody is asked.
  const [name] = given.words
  const { state, lacking } = await readState(given, shell, {
    kinds,
    optional: name?.includes('://') ? [...optional, ...ofUrls] : optional,
    detail: true,
  })
  const corefile = await corefileInUse(given, shell)
  const zone = said.text('cluster-domain') ?? zoneIn(corefile) ?? 'cluster.local'
  const place = placeOf(state, given)
  const from = said.text('from') ?? (place.pod && keyOf(place.pod))
  if (name !== undefined && from === undefined) throw usageError('who asks for it? give -from NAMESPACE/POD')
  await using server = await serverFor(corefile, zone, state, shell)
  const asking = fromPod(said, from)
  const known = { view: state, names: server.names, lacking, random: shell.random }
  const explained =
    from === undefined ? undefined : await explanation(name ?? `kubernetes.default.svc.${zone}.`, asking).answer(known)
  const where = wherePackets(given, place)
  return {
    view: state,
    zone,
    dns: dnsServerOf(state),
    resolver:
      explained === undefined
        ? { missing: 'which pod? give -from NAMESPACE/POD' }
        : resolverOf(state, explained, place, said),
    client:
      from === undefined ? { missing: 'which pod? give -from NAMESPACE/POD' } : clientOf(state, from, lacking, asking),
    target: name === undefined ? { missing: 'no name was given' } : explained!,
    network: isMissing(where) ? where : networkFrom(where.from, shell.clock),
    outsideName: outsideName(given),
    rules: await rulesOf(given, shell, state, place),
    conntrack: await conntrackOf(given, place),
    truncated: await truncatedEndpoints(given, shell),
    corefile,
  }
}

function zoneIn(corefile: Corefile | Missing): string | undefined {
  if (isMissing(corefile) || corefile.parsed instanceof Error) return undefined
  return clusterZone(corefile.parsed)
}

/** A Corefile with plugins that are not ours answers no less of the cluster than kubeadm's does. */
async function serverFor(
  corefile: ReadCorefile | Missing,
  zone: string,
  view: ClusterView,
  shell: Shell,
): Promise<OfflineServer> {
  const usual = () => offlineServer(kubeadmCorefile(zone), view, shell)
  if (isMissing(corefile)) return usual()
  return offlineServer(corefile, view, shell).catch(error => {
    if (error instanceof PortolanError) return usual()
    throw error
  })
}

function fromPod(said: Said, from: string | undefined): Said {
  return {
    has: option => (option === 'from' ? from !== undefined : said.has(option)),
    text: option => (option === 'from' ? from : said.text(option)),
  }
}

function placeOf(view: ClusterView, given: Arguments): Place {
  const named = given.has('rules') ? undefined : nodeOf(given.text('node'), view)
  if (named !== undefined || given.has('manifests')) return { node: named, pod: undefined }
  const own = new Set(Object.values(networkInterfaces()).flatMap((list = []) => list.map(({ address }) => address)))
  const node = [...view.list('Node')].find(({ internalIPs }) => internalIPs.some(ip => own.has(ip)))
  const pod = [...own].flatMap(ip => view.pods(ip)).find(({ hostNetwork }) => !hostNetwork)
  return { node: pod === undefined ? node : undefined, pod }
}

function wherePackets(given: Arguments, { node, pod }: Place): { readonly from: string } | Missing {
  const wish = given.oneOf('queries', ['auto', 'always', 'never'], 'auto')
  if (wish === 'never') return { missing: 'nobody is asked (-queries never)' }
  if (pod !== undefined) return { from: `pod ${keyOf(pod)}` }
  if (node !== undefined && !given.has('manifests')) return { from: `node ${node.name}` }
  if (wish === 'always') return { from: 'this machine' }
  if (given.has('manifests')) return { missing: 'manifests were read, and nobody is asked' }
  return {
    missing:
      'this machine is no node or pod of the cluster, and may not reach its pods (-queries always asks all the same)',
  }
}

function resolverOf(view: ClusterView, { from, resolver }: Explained, { pod, node }: Place, said: Said): ResolverFacts {
  const { nameservers, search, options, reason, findings } = resolver
  const own = podNamed(view, from)
  const kernel = pod !== undefined || (node !== undefined && node.name === own.nodeName) ? release() : undefined
  const isOwn = pod !== undefined && keyOf(pod) === from && !said.has('resolv-conf')
  const conf = isOwn ? parseResolvConf(readFileSync('/etc/resolv.conf', 'utf8')) : { nameservers, search, options }
  const meantForCluster = asksCluster(own)
  return { whose: `pod ${from}`, conf, reason, findings: isOwn ? [] : findings, meantForCluster, kernel }
}

function clientOf(
  view: ClusterView,
  from: string,
  lacking: ReadonlyMap<Kind, string>,
  said: Said,
): Standpoint | Missing {
  const why = lacking.get('NetworkPolicy')
  if (why !== undefined) return { missing: why }
  const { node: _, ...flags } = renderOptionsOf(said, undefined)
  return standpointOf(view, podNamed(view, from), flags)
}

function outsideName(given: Arguments): string | Missing {
  const name = given.text('outside-name') ?? 'kubernetes.io'
  return name === 'none' ? { missing: 'nobody is asked for a name of the outside (-outside-name none)' } : name
}

async function rulesOf(given: Arguments, shell: Shell, view: ClusterView, place: Place): Promise<NodeRules | Missing> {
  const { node: _, ...flags } = renderOptionsOf(given, undefined)
  const files = given.text('rules')
  if (files !== undefined) {
    const node = nodeOf(given.text('node'), view)
    if (node === undefined) throw usageError('of which node are the rules? give -node NAME')
    const texts = files.split(',').map(file => (file === '-' ? shell.input() : fileText(file, UNREADABLE)))
    return { node, flags, dumps: readDumps(await Promise.all(texts)) }
  }
  if (place.node === undefined || given.has('manifests'))
    return { missing: 'this machine is no node of the cluster: give -rules FILE and -node NAME' }
  try {
    return { node: place.node, flags, dumps: await readKernel() }
  } catch (error) {
    if (error instanceof PortolanError) return { missing: error.message }
    throw error
  }
}

async function conntrackOf(given: Arguments, { node }: Place): Promise<ConntrackFiles | Missing> {
  const folder = given.text('proc')
  if (folder === undefined && (node === undefined || given.has('manifests')))
    return { missing: 'this machine is no node of the cluster: give -proc FOLDER with a copy of its files' }
  const read = (file: string) => textIfThere(join(folder ?? '/proc', file))
  const [statistics, count, max] = await Promise.all([
    read('net/stat/nf_conntrack'),
    read('sys/net/netfilter/nf_conntrack_count'),
    read('sys/net/netfilter/nf_conntrack_max'),
  ])
  return { where: folder ?? `node ${node!.name}`, statistics, count, max }
}

/** A kernel without conntrack has no such file. */
async function textIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new PortolanError(UNREADABLE, `cannot read ${file}: ${messageOf(error)}`, { cause: error })
  }
}
