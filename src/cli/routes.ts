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
  proxy: [async () => (await import('./routes-proxy.ts')).proxyRoutes, 1],
  render: [async () => (await import('./routes-render.ts')).renderRoutes, 2],
  apply: [async () => (await import('./routes-apply.ts')).applyRoutes, 2],
  cleanup: [async () => (await import('./routes-apply.ts')).cleanUpRoutes, 2],
  simulate: [async () => (await import('./routes-simulate.ts')).simulateRoute, 2],
}

export const routes: Command = {
  name: 'routes',
  summary: 'tells where cluster addresses lead, and has a node take them there',
  synopsis:
    'list | lookup ADDRESS:PORT[/PROTOCOL] | render iptables|nftables|ipvs | diff [iptables|nftables] | simulate ADDRESS:PORT[/PROTOCOL] | apply iptables|nftables | cleanup [iptables|nftables] | proxy',
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
    clients: {
      value: 'N',
      help: 'simulate: how many connect (1000), each from an address of its own or of the range -from',
    },
    'same-client': { help: 'simulate: all of them from one address' },
    scheduler: {
      value: 'NAME',
      help: 'random, as iptables and nftables do, or of IPVS rr, wrr, lc, wlc, dh, sh, sed, nq (simulate: random, proxy and render ipvs: rr)',
    },
    service: { value: 'NAMESPACE/NAME[:PORT],…', help: 'proxy: these services, or ports of services, alone' },
    listen: { value: 'ADDRESS', help: 'proxy: where it listens for all of them (127.0.0.1)' },
    virtual: { help: 'proxy: listens at the virtual addresses themselves, those that this machine has' },
    'udp-timeout': { value: 'SECONDS', help: 'proxy: ends sessions of UDP that are silent for so long (30)' },
    grace: { value: 'SECONDS', help: 'proxy: how long connections may go on after SIGTERM (10)' },
    part: {
      value: 'PART',
      help: 'render ipvs: addresses, ipvsadm, ipset or iptables alone, for the program that reads it (all, with headings)',
    },
    'no-jumps': {
      help: "render iptables, ipvs: without the rules that lead from the kernel's chains, for a node that has them",
    },
    rules: {
      value: 'FILE[,FILE]',
      help: "diff: what iptables-save, ip6tables-save or `nft -j list ruleset` wrote; - is the standard input (the kernel's rules)",
    },
    watch: { help: 'apply: follows the cluster, and keeps the kernel right, until it is ended' },
    'min-sync': {
      value: 'DURATION',
      help: 'apply: how long after a change the next may be loaded at the earliest (100ms)',
    },
    check: {
      value: 'DURATION',
      help: 'apply: how often the kernel is compared with what it was given (30s); 0 for never',
    },
    'conntrack-tcp-be-liberal': { help: "apply: forwards what conntrack takes for invalid: kube-proxy's flag" },
    output: { value: 'FORM', alias: ['o'], help: 'list, lookup, diff, simulate, proxy: table, json or yaml (table)' },
  },
  notes: `Only apply and cleanup change anything: the rules of this machine. What a node does is what kube-proxy 1.34 has it do.
\`render iptables -family 4 -node NAME | iptables-restore --noflush\` loads the rules; -family 6 is for ip6tables-restore.
\`render nftables -node NAME | nft -f -\` loads both families, in the place of what it loaded before.
\`render ipvs -node NAME -part ipvsadm | ipvsadm --restore\`, and so for each part, has a node do what kube-proxy's mode ipvs does
(\`ip link add kube-ipvs0 type dummy\` comes first, \`ip -batch -\` takes the addresses).
\`diff -node NAME\` compares what the kernel has; the exit code is 0 if that is as it should be, 1 if it differs, 2 if nobody can tell.
\`apply nftables -node NAME -watch\` does what kube-proxy does on a node; the rules stay when it ends, and \`cleanup\` removes them.`,
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
