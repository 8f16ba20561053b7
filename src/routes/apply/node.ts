/** Everything that makes a node's kernel follow the routes, for each family: rules, UDP flows, health checks. */
import { messageOf } from '../../errors.ts'
import type { Clock } from '../../observe/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Family } from '../../wire/address.ts'
import { anyAddress } from '../compile.ts'
import type { IptablesOptions } from '../render/iptables.ts'
import { destinationsOf } from '../render/rules.ts'
import { loopback, settingOf } from '../setting.ts'
import type { Routes } from '../table.ts'
import type { Synced } from './applier.ts'
import type { Run } from './command.ts'
import { Conntrack } from './conntrack.ts'
import { Follower } from './follower.ts'
import { HealthServers, healthChecks } from './health.ts'
import { IptablesKernel } from './iptables.ts'
import { succeed } from './kernel.ts'
import type { Form } from './leftovers.ts'
import { NftablesKernel } from './nftables.ts'

export interface NodeRulesOptions {
  readonly form: Form
  readonly family: Family
  readonly routes: Pick<Routes, 'destinations'>
  /** What the rules depend on besides the routes, at this moment. */
  readonly setting: () => Omit<IptablesOptions, 'family' | 'jumps' | 'accounting'>
  readonly run: Run
  readonly clock: Clock
  readonly log: Logger
  readonly minSyncMs: number
  readonly checkMs: number
}

/** After so long without what is wanted, load balancers are told to ask another node. */
const longestBehindMs = 60_000

/** The rules of one family on this node. */
export class NodeRules {
  readonly #options: NodeRulesOptions
  readonly #follower: Follower
  readonly #conntrack: Conntrack
  readonly #health: HealthServers
  readonly #log: Logger

  constructor(options: NodeRulesOptions) {
    const { form, family, run, routes } = options
    const kernel = form === 'iptables' ? new IptablesKernel(family, run) : new NftablesKernel(family, run)
    this.#options = options
    this.#log = options.log.scoped(kernel.name)
    this.#conntrack = new Conntrack(run, this.#log)
    this.#follower = new Follower({
      ...options,
      kernel,
      log: this.#log,
      wanted: () => ({ destinations: destinationsOf(routes, family), options: this.#setting() }),
    })
    this.#health = new HealthServers({ log: this.#log, healthy: () => this.#follower.behindMs <= longestBehindMs })
  }

  /** The services that the kernel refuses. */
  get refused(): readonly string[] {
    return this.#follower.refused
  }

  /** To be called when the routes or the setting are others. */
  poke(): void {
    this.#follower.poke()
  }

  /** Programs the kernel once. Rejects where that cannot be done in so many attempts. */
  async once(attempts: number): Promise<void> {
    await this.#prepare()
    await this.#forget(await this.#follower.once(attempts))
  }

  /** Programs the kernel, and keeps it right, until the signal aborts. The rules stay. */
  async follow(signal: AbortSignal): Promise<void> {
    await this.#prepare()
    await this.#follower.run(signal, async synced => {
      await this.#serveHealthChecks(synced)
      await this.#forget(synced)
    })
    await this.#health.close()
  }

  /** Node ports that are not where the options say would surprise: nftables has them at the primary address by default, as kube-proxy. */
  #setting(): IptablesOptions {
    const { form, family, setting } = this.#options
    const given = setting()
    const { nodePortAddresses = [] } = given
    const usual = form === 'nftables' && nodePortAddresses.length === 0
    return { ...given, family, ...(usual && { nodePortAddresses: ['primary'] }) }
  }

  /** The kernel's settings that rules need. */
  async #prepare(): Promise<void> {
    const { form, run } = this.#options
    const { liberal, ...given } = this.#setting()
    const { localhostNodePorts } = settingOf(given)
    const settings = [
      ...(liberal ? ['net.netfilter.nf_conntrack_tcp_be_liberal=1'] : []),
      ...(form === 'iptables' && localhostNodePorts ? ['net.ipv4.conf.all.route_localnet=1'] : []),
    ]
    for (const setting of settings) {
      try {
        await succeed(run, 'sysctl', ['-w', setting])
      } catch (error) {
        this.#log.warning(`${setting} is not set: ${messageOf(error)}`)
      }
    }
  }

  async #serveHealthChecks({ after }: Synced): Promise<void> {
    const { family } = this.#options
    const { nodePortIPs, place } = settingOf(this.#setting())
    const addresses = nodePortIPs?.filter(ip => ip !== loopback[family]) ?? [anyAddress[family]]
    await this.#health.serve(healthChecks(after, place.node), addresses)
  }

  async #forget({ before, after }: Synced): Promise<void> {
    const { family } = this.#options
    await this.#conntrack.forget(family, settingOf(this.#setting()).ownIPs, before, after)
  }
}
