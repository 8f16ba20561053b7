/** Real packets through the rules of each renderer, and through those of the real kube-proxy: who answers, whom it sees, who is turned away. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { renderIptables } from '../../../src/routes/render/iptables.ts'
import { renderNftables } from '../../../src/routes/render/nftables.ts'
import type { Routes } from '../../../src/routes/table.ts'
import type { Answer, Target } from './connect.ts'
import { startKubeProxy, synced } from './kube-proxy.ts'
import { type Client, furtherAddresses, Machine, ownNode } from './lab.ts'
import { emptyRules, run, tools } from './namespace.ts'
import {
  briefSeconds,
  briefTargets,
  type Case,
  type ClientName,
  furtherIPs,
  HEALTH_PORT,
  type Mode,
  masqueradeAllCases,
  noRangeCases,
  outsideIPs,
  type Pair,
  packetObjects,
  strangerIPs,
  usualCases,
} from './packet-cases.ts'
import { nodeIPs, nodes, podIPs, podRanges, routesOf, zones } from './plan.ts'
import type { Variant } from './variants.ts'

const families = ['IPv4', 'IPv6'] as const
/** How long silence must last to count as such. */
const silenceMs = 500
/** After which the kernel has forgotten all exchanges over UDP. */
const forgottenMs = 2000
/** How soon kube-proxy must have programmed all rules, also where others use the machine. */
const kubeProxyMs = 60_000

/** The real kube-proxy with what it needs: an API server that holds the objects of the cases. */
export interface Peer {
  readonly path: string
  readonly kubeconfig: string
  /** For its log. */
  readonly folder: string
}

/** Rules of one kind in the kernel. Disposing ends what keeps them there; they stay themselves. */
interface Subject {
  readonly name: string
  readonly mode: Mode
  load(variant: Variant): Promise<AsyncDisposable>
}

export type Check = (what: string, wrong: string | undefined) => void

interface Round {
  readonly variant: Variant
  readonly cases: (family: 0 | 1) => readonly Case[]
}

/** Runs all cases on the node that `makeNode` made, for our rules, and where there is a peer for its rules too; `check` is told of each. */
export async function checkPackets(check: Check, peer: Peer | undefined, modes: readonly Mode[]): Promise<void> {
  await using stack = new AsyncDisposableStack()
  stack.use(furtherAddresses(furtherIPs))
  const clients = await startMachines(stack)
  const routes = routesOf(packetObjects())
  const subjects = modes.flatMap(mode => [ours(mode, routes), ...(peer ? [theirs(mode, peer)] : [])])
  const rounds: Round[] = [
    { variant: { name: '', clusterCIDRs: podRanges }, cases: usualCases },
    { variant: { name: 'masquerade all', clusterCIDRs: podRanges, masqueradeAll: true }, cases: masqueradeAllCases },
    { variant: { name: 'no pod ranges' }, cases: noRangeCases },
  ]
  for (const subject of subjects) {
    for (const round of rounds) {
      emptyRules()
      await using _rules = await subject.load(round.variant)
      forgetSoon()
      await sleep(forgottenMs)
      await checkRound(subject, round, clients, check)
    }
  }
  emptyRules()
}

type Clients = Readonly<Record<ClientName, Client>>

async function startMachines(stack: AsyncDisposableStack): Promise<Clients> {
  const machine = async (name: string, addresses: Pair) => stack.use(await Machine.start(name, addresses))
  const pod = async (number: number) => {
    const made = await machine(`pod-${number}`, podIPs(number))
    await made.serve(`pod-${number}`, [8080, 8053])
    return made
  }
  const [first, , third, fourth] = [await pod(1), await pod(2), await pod(3), await pod(4)]
  return {
    pod: await machine('pod-9', podIPs(9)),
    'pod-1': first!,
    'pod-3': third!,
    'pod-4': fourth!,
    outside: await machine('outside', outsideIPs),
    stranger: await machine('stranger', strangerIPs),
    node: ownNode,
  }
}

/** Else a port that a client uses again would be led where the rules of another round have led it. */
function forgetSoon(): void {
  for (const name of ['udp_timeout', 'udp_timeout_stream'])
    run('sysctl', ['-qw', `net.netfilter.nf_conntrack_${name}=${forgottenMs / 2000}`])
}

async function checkRound({ name, mode }: Subject, { variant, cases }: Round, clients: Clients, check: Check) {
  for (const family of [0, 1] as const) {
    // A firewall of somebody else's, behind all that kube-proxy lets in.
    const firewall = ['INPUT', '-p', 'tcp', '--dport', `${HEALTH_PORT}`, '-j', 'DROP']
    run(tools[families[family]], ['-w', '-A', ...firewall])
    const title = [name, families[family], ...(variant.name === '' ? [] : [`${variant.name}:`])].join(' ')
    for (const each of cases(family)) {
      const answers = await answersOf(each, mode, clients)
      const right = expectationOf(each, mode)(answers)
      check(`${title} ${each.what}`, right ? undefined : [...new Set(answers)].join(', '))
    }
    if (cases === usualCases) {
      for (const target of briefTargets(family))
        check(`${title} affinity over ${target.protocol} ends`, await outlastsAffinity(clients.pod, target))
    }
  }
}

function expectationOf({ expect }: Case, mode: Mode) {
  return typeof expect === 'function' ? expect : expect[mode]
}

async function answersOf(each: Case, mode: Mode, clients: Clients): Promise<Answer[]> {
  const { from, to } = each
  const targets = [to].flat()
  const { silence, slow } = expectationOf(each, mode)
  const { times = slow ? 2 : 5 } = each
  const answers: Answer[] = []
  for (const target of targets) {
    const asked = silence ? { ...target, patienceMs: silenceMs } : target
    answers.push(...(await clients[from].connect(asked, targets.length > 1 ? 1 : times)))
  }
  return answers
}

/** Each time that affinity has ended the client may get another pod: in twenty rounds it does. */
async function outlastsAffinity(client: Client, target: Target): Promise<string | undefined> {
  const [first] = await client.connect(target, 1)
  for (let round = 0; round < 20; round++) {
    await sleep(briefSeconds * 2100)
    const [next] = await client.connect(target, 1)
    if (next !== first) return undefined
  }
  return `${first} to the end`
}

function ours(mode: Mode, routes: Pick<Routes, 'destinations'>): Subject {
  const node = { name: nodes.own, zone: zones.own, internalIPs: nodeIPs }
  return {
    name: mode,
    mode,
    async load(variant) {
      for (const family of families) {
        const options = { family, node, ...variant }
        if (mode === 'iptables') run(`${tools[family]}-restore`, ['-w', '--noflush'], renderIptables(routes, options))
        else run('nft', ['-f', '-'], renderNftables(routes, options))
      }
      return healthServer()
    },
  }
}

/** What kube-proxy itself would do, and rules do not. */
async function healthServer(): Promise<AsyncDisposable> {
  const server = createServer(socket => {
    socket.on('error', () => socket.destroy())
    socket.resume().end('HTTP/1.0 200 OK\r\n\r\n')
  })
  server.listen(HEALTH_PORT, '::')
  await once(server, 'listening')
  return {
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}

function theirs(mode: Mode, { folder, ...where }: Peer): Subject {
  return {
    name: `kube-proxy ${mode}`,
    mode,
    async load(variant) {
      const log = join(folder, `kube-proxy-${mode}.log`)
      const proxy = startKubeProxy({ ...where, mode, variant, log })
      await proxy.until(synced, kubeProxyMs)
      return proxy
    },
  }
}
