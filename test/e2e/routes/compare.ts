/**
 * Compares the iptables rules that portolan renders with those of the real kube-proxy on the same real kube-apiserver: first for services
 * that have every field, with each set of flags, then for clusters that chance makes while one kube-proxy follows them.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Node } from '../../../src/cluster/objects.ts'
import { ClusterState } from '../../../src/cluster/state.ts'
import { PortolanError } from '../../../src/errors.ts'
import { systemClock } from '../../../src/observe/clock.ts'
import { logger } from '../../../src/observe/logger.ts'
import { metrics } from '../../../src/observe/metrics.ts'
import { renderIptables } from '../../../src/routes/render/iptables.ts'
import { renderNftables } from '../../../src/routes/render/nftables.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { apiserverSource } from '../../../src/sources/apiserver/index.ts'
import type { Background } from '../background.ts'
import type { ControlPlane } from '../control-plane.ts'
import { everyField } from './every-field.ts'
import { startKubeProxy } from './kube-proxy.ts'
import { emptyRules, run, Scratch, tools } from './namespace.ts'
import { namespaceObject, nodes, ownNodeObject } from './plan.ts'
import type { RandomCluster } from './random-cluster.ts'
import { differences, parseSaved, type Reading } from './saved-rules.ts'
import { usual, type Variant, variants } from './variants.ts'

const families = ['IPv4', 'IPv6'] as const
/** How soon kube-proxy must have what it was told: it sweeps chains that nothing leads to every few seconds only, when there are many. */
const patienceMs = 60_000
const pollMs = 50

export interface Comparison {
  readonly plane: ControlPlane
  /** Path of the program. */
  readonly kubeProxy: string
  /** How many differences to print of each cluster. */
  readonly show: number
  say(line: string): void
  count(passed: boolean): void
}

export class Comparer implements AsyncDisposable {
  readonly #comparison: Comparison
  readonly #followed: Followed
  readonly #scratch: Scratch
  readonly #stop: AbortController

  private constructor(comparison: Comparison, followed: Followed, scratch: Scratch, stop: AbortController) {
    this.#comparison = comparison
    this.#followed = followed
    this.#scratch = scratch
    this.#stop = stop
  }

  static async start(comparison: Comparison): Promise<Comparer> {
    const stop = new AbortController()
    const scratch = await Scratch.start()
    const followed = await follow(comparison, stop.signal)
    return new Comparer(comparison, followed, scratch, stop)
  }

  /** Services that have every field, with each set of flags; they are gone afterwards. */
  async everyField(): Promise<void> {
    const { plane, say } = this.#comparison
    const { services, objects } = everyField()
    for (const object of objects) await plane.client.create(object)
    say(`${services} services; missing rules have a -, extra ones a +, misplaced ones a ~`)
    for (const variant of variants) {
      emptyRules()
      await using _proxy = this.#startProxy(variant)
      await this.#compare(variant.name, variant, () => true)
    }
    for (const object of objects.toReversed()) await plane.client.remove(object)
  }

  /**
   * So many clusters, one made of the other. One kube-proxy follows them. It ends by itself when the node's addresses change. When the
   * cluster becomes large, or small again, it leaves the comments of what did not change, so another one is compared too; and in a
   * large one it leaves chains that nothing leads to for a while.
   */
  async random(cluster: RandomCluster, clusters: number): Promise<void> {
    emptyRules()
    let proxy = this.#startProxy(usual)
    const anotherProxy = async () => {
      await proxy[Symbol.asyncDispose]()
      proxy = this.#startProxy(usual)
    }
    try {
      for (let i = 1; i <= clusters; i++) {
        const { what, arrived, change, large } = await cluster.change(i)
        const title = `random ${i}${what}`
        const known = () => arrived(this.#followed.state)
        if (change === 'addresses') await anotherProxy()
        if (change === 'size') {
          await this.#compare(`${title}, without comments`, usual, known, { comments: false, unused: !large })
          await anotherProxy()
        }
        await this.#compare(title, usual, known, { unused: !large })
      }
    } finally {
      await proxy[Symbol.asyncDispose]()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#scratch[Symbol.asyncDispose]()
  }

  #startProxy(variant: Variant): Background {
    const { plane, kubeProxy } = this.#comparison
    const log = join(plane.folder, `kube-proxy-${variant.name.replaceAll(' ', '-')}.log`)
    return startKubeProxy({ path: kubeProxy, kubeconfig: plane.kubeconfig, mode: 'iptables', variant, log })
  }

  /** Once all of the cluster has arrived here. */
  async #compare(title: string, variant: Variant, arrived: () => boolean, reading: Reading = {}): Promise<void> {
    const { say, show, count } = this.#comparison
    const deadline = performance.now() + patienceMs
    while (!arrived()) {
      if (performance.now() > deadline)
        throw new PortolanError('PORTOLAN_E2E_FOLLOW', `${title}: changes did not arrive`)
      await sleep(5)
    }
    for (const family of families) {
      const { rules, lines } = await this.#settled(family, variant, reading, deadline)
      say(`${title.padEnd(24)} ${family} ${lines.length === 0 ? `equal: ${rules} rules` : 'differs'}`)
      for (const line of lines.slice(0, show)) say(`  ${line}`)
      count(lines.length === 0)
      // What these do is a matter of packets (`npm run test:routes -- --packets`); here they must load, whatever the cluster.
      const refusal = this.#scratch.refusedByNft(
        renderNftables(this.#followed.table, { family, node: this.#node(), ...variant }),
      )
      if (refusal !== undefined) say(`${title.padEnd(24)} ${family} nft does not load our rules: ${refusal}`)
      count(refusal === undefined)
    }
  }

  /** The differences that stay when both have had their time. */
  async #settled(
    family: (typeof families)[number],
    variant: Variant,
    reading: Reading,
    deadline: number,
  ): Promise<{ readonly rules: number; readonly lines: readonly string[] }> {
    const text = renderIptables(this.#followed.table, { family, node: this.#node(), accounting: true, ...variant })
    const wanted = parseSaved(this.#scratch.loaded(text, family), reading)
    for (;;) {
      const start = performance.now()
      const found = parseSaved(run(`${tools[family]}-save`, []), reading)
      const lines = differences(found, wanted)
      const rules = [...found.values()].flat().length
      if (lines.length === 0 || performance.now() > deadline) return { rules, lines }
      // Half of the time is kube-proxy's.
      await sleep(Math.max(pollMs, performance.now() - start))
    }
  }

  #node(): Node {
    const node = this.#followed.state.get('Node', nodes.own)
    if (node === undefined) throw new PortolanError('PORTOLAN_E2E_NODE', 'the node was not followed')
    return node
  }
}

/** The node, and the namespace of all services. */
export async function createFrame({ client }: ControlPlane): Promise<void> {
  for (const object of [ownNodeObject(), namespaceObject()]) await client.create(object)
}

interface Followed {
  readonly state: ClusterState
  readonly table: RouteTable
}

/** The cluster as portolan's own source follows it. */
async function follow({ plane, say }: Comparison, signal: AbortSignal): Promise<Followed> {
  const kinds = ['Service', 'EndpointSlice', 'Node'] as const
  const state = new ClusterState({ kinds })
  const source = apiserverSource({
    access: { from: 'kubeconfig', file: plane.kubeconfig },
    kinds,
    clock: systemClock,
    random: Math.random,
    log: logger({ format: 'text', write: say }),
    metrics: metrics(),
    selfCheckMs: 0,
  })
  await source.follow(state, signal)
  const table = new RouteTable()
  state.follow(table)
  return { state, table }
}
