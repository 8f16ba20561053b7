/** `portolan routes`: where the virtual addresses of a cluster lead, asked of its objects alone. */
import { hint } from '../corefile/nearest.ts'
import { type Arguments, usageError } from './arguments.ts'
import type { Command } from './command.ts'
import type { Shell } from './shell.ts'

type Verb = (given: Arguments, shell: Shell) => Promise<number>

/** Each with how many words it takes, itself included. They are loaded when they are asked for: a server needs none of them. */
const verbs: Readonly<Record<string, readonly [load: () => Promise<Verb>, words: number]>> = {
  diff: [async () => (await import('./routes-diff.ts')).diffRoutes, 2],
  list: [async () => (await import('./routes-list.ts')).listRoutes, 1],
  lookup: [async () => (await import('./routes-lookup.ts')).lookupRoute, 2],
  render: [async () => (await import('./routes-render.ts')).renderRoutes, 2],
  simulate: [async () => (await import('./routes-simulate.ts')).simulateRoute, 2],
}

export const routes: Command = {
  name: 'routes',
  summary: 'tells where cluster addresses lead, and renders the rules of a node',
  synopsis:
    'list | lookup ADDRESS:PORT[/PROTOCOL] | render iptables|nftables | diff [iptables|nftables] | simulate ADDRESS:PORT[/PROTOCOL]',
  words: 2,
  options: {
    manifests: { value: 'PATH', help: 'the cluster that a folder, or a file, of manifests makes' },
    kubeconfig: { value: 'FILE', help: 'the cluster that it leads to ($KUBECONFIG, ~/.kube/config)' },
    server: {
      value: 'URL',
      help: 'the cluster of a running server with the plugin `routes`: it answers, nothing is read',
    },
    context: { value: 'NAME', help: 'of the kubeconfig (its current one)' },
    node: { value: 'NAME', help: 'as this node sees it' },
    'cluster-cidr': { value: 'CIDR[,CIDR]', help: "where pods have addresses: kube-proxy's flag, as are the next two" },
    'masquerade-all': { help: 'all that goes to cluster addresses gets the source of the node' },
    'nodeport-addresses': {
      value: 'CIDR[,CIDR]',
      help: "at which of the node's addresses node ports are, or `primary` (all)",
    },
    family: { value: '4|6', help: 'this family alone' },
    from: { value: 'WHO', help: 'lookup, simulate: who connects: NAMESPACE/POD, an address or a range' },
    clients: { value: 'N', help: 'simulate: how many connect (1000)' },
    'no-jumps': {
      help: "render iptables: without the rules that lead from the kernel's chains, for a node that has them",
    },
    rules: {
      value: 'FILE[,FILE]',
      help: "diff: what iptables-save, ip6tables-save or `nft -j list ruleset` wrote; - is the standard input (the kernel's rules)",
    },
    output: { value: 'FORM', alias: ['o'], help: 'list, lookup, diff, simulate: table, json or yaml (table)' },
  },
  notes: `Nothing is changed anywhere. What a node does is what kube-proxy 1.34 has it do.
\`render iptables -family 4 -node NAME | iptables-restore --noflush\` loads the rules; -family 6 is for ip6tables-restore.
\`render nftables -node NAME | nft -f -\` loads both families, in the place of what it loaded before.
\`diff -node NAME\` compares what the kernel has; the exit code is 0 if that is as it should be, 1 if it differs, 2 if nobody can tell.`,
  async run(given, shell) {
    const [word] = given.words
    const verb = word !== undefined && Object.hasOwn(verbs, word) ? verbs[word] : undefined
    const known = Object.keys(verbs)
    if (verb === undefined) {
      throw usageError(
        word === undefined
          ? `routes what? There are ${known.join(', ')}`
          : `unknown "routes ${word}"${hint(word, known)}`,
      )
    }
    const [load, words] = verb
    const extra = given.words[words]
    if (extra !== undefined) throw usageError(`"${extra}" is one argument too many`)
    const run = await load()
    return run(given, shell)
  },
}
