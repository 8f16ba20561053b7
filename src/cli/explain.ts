/** `portolan explain`: from a name that a pod uses to the packet, and why it does not get there. */
import { readFileSync } from 'node:fs'
import { podKey, podNamed } from '../client/cluster-pod.ts'
import { environmentOf } from '../client/environment.ts'
import { exits } from '../client/explain/asker.ts'
import { environmentText } from '../client/explain/environment-text.ts'
import type { Explained } from '../client/explain/explained.ts'
import { explanation } from '../client/explain/question.ts'
import { explanationText } from '../client/explain/text.ts'
import type { Kind } from '../cluster/objects.ts'
import { messageOf, PortolanError } from '../errors.ts'
import type { Said } from '../routes/facts/question.ts'
import { type Arguments, usageError } from './arguments.ts'
import { type Command, Exit } from './command.ts'
import { readState } from './routes-cluster.ts'
import { show } from './routes-output.ts'
import { askForFacts } from './running-server.ts'
import type { Shell } from './shell.ts'

const kinds: readonly Kind[] = ['Namespace', 'Service', 'EndpointSlice', 'Pod']
const optional: readonly Kind[] = ['Node', 'NetworkPolicy', 'Ingress', 'IngressClass', 'Secret']

/** What a server is told of the options. */
const passed = [
  ...['from', 'libc', 'cluster-dns', 'cluster-domain', 'node-resolv-conf'],
  ...['cluster-cidr', 'masquerade-all', 'nodeport-addresses'],
]

export const explain: Command = {
  name: 'explain',
  summary: 'tells why a pod reaches a name, or why it does not',
  synopsis: '-from NAMESPACE/POD NAME[:PORT[/PROTOCOL]] | URL   or   -env NAMESPACE/POD',
  words: 1,
  options: {
    from: { value: 'NAMESPACE/POD', help: 'the pod that asks' },
    manifests: { value: 'PATH', help: 'the cluster that a folder, or a file, of manifests makes' },
    kubeconfig: { value: 'FILE', help: 'the cluster that it leads to ($KUBECONFIG, ~/.kube/config)' },
    server: { value: 'URL', help: 'the cluster of a running server with the plugin `explain`: it answers' },
    context: { value: 'NAME', help: 'of the kubeconfig (its current one)' },
    conf: { value: 'FILE', help: "the Corefile of the cluster's DNS server (as kubeadm writes it)" },
    libc: { value: 'NAME', help: "the pod's C library: glibc, musl, glibc-2.25 or musl-1.2.3 (glibc)" },
    'cluster-dns': { value: 'IP[,IP]', help: "the kubelet's clusterDNS (the address of the service kube-dns)" },
    'cluster-domain': { value: 'NAME', help: "the kubelet's clusterDomain (the first zone of the Corefile)" },
    'resolv-conf': { value: 'FILE', help: "a copy of the resolv.conf of the pod's node" },
    'cluster-cidr': { value: 'CIDR[,CIDR]', help: "where pods have addresses: kube-proxy's flag, as are the next two" },
    'masquerade-all': { help: 'all that goes to cluster addresses gets the source of the node' },
    'nodeport-addresses': { value: 'CIDR[,CIDR]', help: "at which of the node's addresses node ports are (all)" },
    env: { value: 'NAMESPACE/POD', help: 'lists the variables of services that the kubelet gives this pod' },
    output: { value: 'FORM', alias: ['o'], help: 'table, json or yaml (table)' },
  },
  notes: `Nothing is sent and nothing is changed: names are answered by the plugins of the Corefile in this process, and other servers are not asked.
The exit code is 0 for what is reachable, 2 for a name that is not resolvable, 3 where there is no usable endpoint, 4 for what network
policies deny, and 1 for anything else, such as a name that only another server can know.`,
  async run(given, shell) {
    if (given.has('env')) return showEnvironment(given, shell)
    const said = saidBy(given)
    // What is wrong with the question is told before anybody is asked.
    const question = explanation(given.words[0], said)
    if (given.has('server')) return tell(await askedOf(given, said), given, shell)
    const { state, lacking } = await readState(given, shell, { kinds, optional, detail: true })
    // It brings the whole server along, which those who ask a running one need not wait for.
    const { kubeadmCorefile, offlineServer, readCorefile } = await import('./offline-server.ts')
    const conf = given.text('conf')
    const corefile = conf === undefined ? kubeadmCorefile() : readCorefile(conf)
    await using server = await offlineServer(corefile, state, shell)
    return tell(
      await question.answer({ view: state, names: server.names, lacking, random: shell.random }),
      given,
      shell,
    )
  },
}

/** What a running server says, whose own plugins and cluster count. */
async function askedOf(given: Arguments, said: Said): Promise<Explained> {
  if (given.has('conf')) throw usageError('-conf is the Corefile of another server: a running one has its own')
  const parameters = passed.flatMap(name => (said.has(name) ? [[name, said.text(name) || 'true'] as const] : []))
  return askForFacts(given, {
    plugin: 'explain',
    path: '/explain',
    parameters: { name: given.words[0], ...Object.fromEntries(parameters) },
  })
}

function tell(explained: Explained, given: Arguments, shell: Shell): number {
  show(given, shell, explained, () => explanationText(explained))
  return exits[explained.verdict]
}

async function showEnvironment(given: Arguments, shell: Shell): Promise<number> {
  if (given.words.length > 0 || given.has('from')) throw usageError('-env takes no name and no -from')
  const { state } = await readState(given, shell, { kinds: ['Service', 'Pod'], detail: true })
  const pod = podNamed(state, podKey(given.text('env')))
  const environment = environmentOf(state, pod)
  show(given, shell, environment, () => environmentText(environment))
  return Exit.done
}

/** A file goes to whoever answers as its content. */
export function saidBy(given: Arguments): Said {
  const file = given.text('resolv-conf')
  const content = file === undefined ? undefined : contentOf(file)
  return {
    has: (name: string) => (name === 'node-resolv-conf' ? content !== undefined : given.has(name)),
    text: (name: string) => (name === 'node-resolv-conf' ? content : given.text(name)),
  }
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new PortolanError('PORTOLAN_EXPLAIN_FILE', `cannot read ${file}: ${messageOf(cause)}`, { cause })
  }
}
