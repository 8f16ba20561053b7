/**
 * `hosts`: answers A, AAAA and PTR queries from a hosts file and from lines of the Corefile. Compiled when they are read; a query
 * is a lookup.
 */
import { messageOf } from '../../errors.ts'
import type { Gauge } from '../../observe/metrics.ts'
import type { CutDraft } from '../../plugin/cut-draft.ts'
import type { Footprint } from '../../plugin/footprint.ts'
import type { Next, Plugin, PluginDefinition, Reply, SetupContext } from '../../plugin/plugin.ts'
import { PolledFile } from '../../plugin/polled-file.ts'
import { type Answer, SERVFAIL } from '../../wire/answer.ts'
import { spelled } from '../../wire/edit.ts'
import { isWithinAny, nameFromKey } from '../../wire/name.ts'
import type { Query } from '../../wire/query.ts'
import { Type } from '../../wire/types.ts'
import { HostsFront } from './front.ts'
import { parseHosts } from './hosts-file.ts'
import { type HostsOptions, readHostsOptions } from './options.ts'
import { NODATA, Table } from './table.ts'

export const definition: PluginDefinition = {
  name: 'hosts',
  setup(directive, context) {
    const { directory, block } = context
    return new Hosts(readHostsOptions(directive, { directory, origins: block.origins }), context)
  },
}

class Hosts implements Plugin {
  readonly name = 'hosts'
  readonly footprint: Footprint
  readonly #options: HostsOptions
  readonly #context: SetupContext
  readonly #file: PolledFile
  readonly #entries: Gauge
  readonly #reloaded: Gauge
  #table: Table
  #front: HostsFront | undefined

  constructor(options: HostsOptions, context: SetupContext) {
    this.#options = options
    this.#context = context
    const { metrics } = context
    this.#entries = metrics
      .gauge('coredns_hosts_entries', 'Addresses and names from the hosts file and the Corefile.', ['hostsfile'])
      .of(options.file)
    this.#reloaded = metrics
      .gauge('coredns_hosts_reload_timestamp_seconds', 'When the hosts file that is served was last modified.', [])
      .of()
    this.#file = new PolledFile(options.file, (text, modifiedMs) => this.#load(text, modifiedMs))
    this.#table = new Table([options.inline], options)
    this.footprint = {
      suffixes: () => [...options.zones, ...options.fallthrough, ...(this.#front?.wildcardParents ?? [])],
      declare: cut => this.#declare(cut),
    }
  }

  async start(): Promise<void> {
    const { clock, log } = this.#context
    this.#report(this.#options.mistakes)
    this.#entries.set(this.#table.size)
    const complain = (message: string) => log.warning(`hosts file cannot be read: ${message}`)
    await this.#file.look().catch(error => complain(messageOf(error)))
    this.#file.poll(clock, this.#options.reloadMs, complain)
    const { table, block } = this.#context
    if (table === undefined) return
    const zones = block.plugins
      .filter(plugin => plugin.current)
      .flatMap(({ footprint }) => [...(footprint?.suffixes?.() ?? [])])
    this.#front = new HostsFront(table.zoneSpace(), zones)
    this.#front.show(this.#table)
  }

  async stop(): Promise<void> {
    this.#file.stop()
    this.#front?.close()
    this.#front = undefined
  }

  handle(query: Query, next: Next): Reply | Promise<Reply> {
    const { key, type } = query
    if (type === Type.PTR) {
      const pointers = this.#table.pointers(key)
      return pointers === undefined ? next(query) : this.#reply(query, pointers)
    }
    if (!isWithinAny(key, this.#options.zones)) return next(query)
    const fallsThrough = isWithinAny(key, this.#options.fallthrough)
    const host = this.#table.host(key)
    if (host === undefined) return fallsThrough ? next(query) : { answer: SERVFAIL, plugin: this.name }
    if (type === Type.A) return this.#reply(query, host.a)
    if (type === Type.AAAA) return this.#reply(query, host.aaaa)
    return fallsThrough && this.#options.fallthroughUnsupported ? next(query) : this.#reply(query, NODATA)
  }

  /** Owners are in lower case, whatever the question's letter case. */
  #reply(query: Query, answer: Answer): Reply {
    const asIs = answer.answers === 0 || isLowerCase(query.name)
    return { answer: asIs ? answer : spelled(answer, nameFromKey(query.key)), plugin: this.name }
  }

  #declare(cut: CutDraft): void {
    const { zones, fallthrough } = this.#options
    const answersAll = isWithinAny(cut.suffix, zones) && !isWithinAny(cut.suffix, fallthrough)
    if (answersAll || this.#front === undefined || isWithinAny(cut.suffix, this.#front.wildcardParents)) cut.intercept()
    else cut.front(this.#front.names)
  }

  #load(text: string, modifiedMs: number): void {
    const { entries, mistakes } = parseHosts(text)
    this.#table = new Table([entries, this.#options.inline], this.#options)
    if (this.#front?.show(this.#table)) this.#context.server.republish()
    this.#entries.set(this.#table.size)
    this.#reloaded.set(modifiedMs / 1000)
    this.#report(mistakes.map(({ line, message }) => `${this.#file.path}:${line}: ${message}`))
  }

  /** One line for all of them: a file may have thousands. */
  #report([first, ...others]: readonly string[]): void {
    if (first === undefined) return
    const more = others.length === 0 ? '' : `, and ${others.length} more like it`
    this.#context.log.warning(`${first}; left out${more}`)
  }
}

function isLowerCase(name: Uint8Array): boolean {
  for (const octet of name) if (octet >= 0x41 && octet <= 0x5a) return false
  return true
}
