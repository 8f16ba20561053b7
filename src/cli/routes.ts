/** `portolan routes`: where the virtual addresses of a cluster lead, asked of its objects alone. */
import { hint } from '../corefile/nearest.ts'
import { type Arguments, usageError } from './arguments.ts'
import type { Command } from './command.ts'
import { clusterOptions } from './routes-cluster.ts'
import { listRoutes } from './routes-list.ts'
import { lookupRoute } from './routes-lookup.ts'
import { outputOption } from './routes-output.ts'
import { renderRoutes } from './routes-render.ts'
import { simulateRoute } from './routes-simulate.ts'
import type { Shell } from './shell.ts'

type Verb = (given: Arguments, shell: Shell) => Promise<number>

/** Each with how many words it takes, itself included. */
const verbs: Readonly<Record<string, readonly [run: Verb, words: number]>> = {
  list: [listRoutes, 1],
  lookup: [lookupRoute, 2],
  render: [renderRoutes, 2],
  simulate: [simulateRoute, 2],
}

export const routes: Command = {
  name: 'routes',
  summary: 'tells where cluster addresses lead, and renders the rules of a node',
  synopsis: 'list | lookup ADDRESS:PORT[/PROTOCOL] | render iptables|nftables | simulate ADDRESS:PORT[/PROTOCOL]',
  words: 2,
  options: {
    ...clusterOptions,
    from: { value: 'WHO', help: 'lookup, simulate: who connects: NAMESPACE/POD, an address or a range' },
    clients: { value: 'N', help: 'simulate: how many connect (1000)' },
    'no-jumps': {
      help: "render iptables: without the rules that lead from the kernel's chains, for a node that has them",
    },
    ...outputOption,
  },
  notes: `Nothing is changed anywhere. What a node does is what kube-proxy 1.34 has it do.
\`render iptables -family 4 -node NAME | iptables-restore --noflush\` loads the rules; -family 6 is for ip6tables-restore.
\`render nftables -node NAME | nft -f -\` loads both families, in the place of what it loaded before.`,
  async run(given, shell) {
    const [word] = given.words
    const verb = word === undefined ? undefined : verbs[word]
    const known = Object.keys(verbs)
    if (verb === undefined) {
      throw usageError(
        word === undefined
          ? `routes what? There are ${known.join(', ')}`
          : `unknown "routes ${word}"${hint(word, known)}`,
      )
    }
    const [run, words] = verb
    const extra = given.words[words]
    if (extra !== undefined) throw usageError(`"${extra}" is one argument too many`)
    return run(given, shell)
  },
}
