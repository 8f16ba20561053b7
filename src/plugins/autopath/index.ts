/**
 * `autopath`: goes through a client's search list in its place. A name below the list's first domain that does not exist is answered
 * with the first name of the rest of the walk that does, and a CNAME from the one to the other.
 */
import { readFileSync } from 'node:fs'
import type { Directive } from '../../corefile/directive.ts'
import { readOptions } from '../../corefile/options.ts'
import { messageOf } from '../../errors.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Counter } from '../../observe/metrics.ts'
import type { Footprint } from '../../plugin/footprint.ts'
import type { Next, Plugin, PluginDefinition, Reply, SetupContext } from '../../plugin/plugin.ts'
import type { SearchLists } from '../../plugin/search-lists.ts'
import { aliased } from '../../wire/edit.ts'
import { isWithin, isWithinAny, MAX_NAME, type NameKey, nameFromKey, ROOT } from '../../wire/name.ts'
import { makeQuery, type Query } from '../../wire/query.ts'
import { Class, Opcode, Rcode } from '../../wire/types.ts'
import { searchOf } from './resolv-conf.ts'

const NAME = 'autopath'

export const definition = autopathOn('/etc/resolv.conf')

/** The plugin of a server whose own search list stands in `systemFile`. */
export function autopathOn(systemFile: string): PluginDefinition {
  return {
    name: NAME,
    setup: (directive, context) => new Autopath(readAutopath(directive, context, systemFile), context),
  }
}

interface AutopathOptions {
  readonly zones: readonly NameKey[]
  /** Finds out, once the block is complete, who knows the clients' lists; undefined where there is no such plugin. */
  readonly lists: () => SearchLists | undefined
  /** What follows a client's list. */
  readonly more: readonly NameKey[]
}

/** Reads `autopath [ZONES...] RESOLV-CONF|@PLUGIN`. */
function readAutopath(directive: Directive, context: SetupContext, systemFile: string): AutopathOptions {
  const named: NameKey[] = []
  for (let left = directive.args.length; left > 1; left--) named.push(directive.zone({ name: 'zone' }))
  const read = directive.peek?.startsWith('@') ? readPlugin : readFile
  const options = read(directive, context, systemFile)
  readOptions(directive)
  return { zones: named.length > 0 ? named : context.block.origins, ...options }
}

type Lists = Omit<AutopathOptions, 'zones'>

function readPlugin(directive: Directive, { block, log }: SetupContext, systemFile: string): Lists {
  const name = directive.text().slice(1)
  if (!block.directives.some(other => other.name === name))
    log.warning(`there is no ${name} in this server block: as it stands, autopath never applies`)
  return { more: systemSearch(systemFile, log), lists: () => listsOf(name, block, directive) }
}

function readFile(directive: Directive, { directory, log }: SetupContext): Lists {
  const path = directive.path(directory, { name: 'resolv-conf' })
  const search = searchIn(path, directive)
  const [first] = search
  if (first === undefined) log.warning(`${path} has no search list: as it stands, autopath never applies`)
  return { more: [], lists: () => first && { domains: [first], of: () => search } }
}

function searchIn(path: string, directive: Directive): NameKey[] {
  try {
    return searchOf(readFileSync(path, 'utf8'))
  } catch (error) {
    throw directive.error(`cannot read ${path}: ${messageOf(error)}`, directive.args.at(-1), error)
  }
}

function listsOf(name: string, { plugins }: SetupContext['block'], directive: Directive): SearchLists | undefined {
  const plugin = plugins.find(other => other.name === name)
  if (plugin && !plugin.searchLists) throw directive.error(`${name} does not know the search lists of clients`)
  return plugin?.searchLists
}

/** A server without such a file searches nowhere. */
function systemSearch(file: string, log: Logger): NameKey[] {
  try {
    return searchOf(readFileSync(file, 'utf8'))
  } catch (error) {
    log.warning(`going on without the search list of the server's own: ${messageOf(error)}`)
    return []
  }
}

/** A walk under way: the domains that are still to be tried behind the first labels of what was asked. */
interface Walk {
  readonly query: Query
  readonly next: Next
  /** What is said of the name that was asked. */
  readonly plain: Reply
  readonly base: Uint8Array
  readonly domains: readonly Uint8Array[]
}

class Autopath implements Plugin {
  readonly name = NAME
  readonly footprint: Footprint
  readonly #options: AutopathOptions
  readonly #found: Counter
  #lists: SearchLists | undefined
  /** By the list that a client has. */
  readonly #behind = new WeakMap<readonly NameKey[], readonly Uint8Array[]>()
  /** Where some client's first domain may lie, within the zones. */
  #domains: readonly NameKey[] = []

  constructor(options: AutopathOptions, { block, metrics }: SetupContext) {
    this.#options = options
    this.#found = metrics
      .counter('coredns_autopath_success_total', 'Queries answered with a later name of their search list.', ['server'])
      .of(block.label)
    this.footprint = {
      suffixes: () => this.#domains,
      declare: cut => {
        if (isWithinAny(cut.suffix, this.#domains)) cut.expand()
      },
    }
  }

  async start(): Promise<void> {
    this.#lists = this.#options.lists()
    const domains = this.#lists?.domains ?? []
    this.#domains = domains.flatMap(domain => this.#options.zones.flatMap(zone => within(domain, zone)))
  }

  handle(query: Query, next: Next): Reply | Promise<Reply> {
    const plain = next(query)
    if (!this.#concerns(query)) return plain
    return plain instanceof Promise
      ? plain.then(late => this.#improved(query, next, late))
      : this.#improved(query, next, plain)
  }

  /** Whether a client may have asked it on its way through a search list; other plugins ask for whole names. */
  #concerns({ key, depth, class: klass, opcode }: Query): boolean {
    return depth === 0 && klass === Class.IN && opcode === Opcode.QUERY && isWithinAny(key, this.#domains)
  }

  #improved(query: Query, next: Next, plain: Reply): Reply | Promise<Reply> {
    if (plain.answer.rcode !== Rcode.NXDOMAIN) return plain
    const list = this.#lists?.of(query)
    const first = list?.[0]
    if (list === undefined || first === undefined || query.key === first || !isWithin(query.key, first)) return plain
    const base = query.name.subarray(0, query.key.length - first.length)
    return this.#walk({ query, next, plain, base, domains: this.#domainsBehind(list) }, 0)
  }

  /** What is tried when the first domain of a list was. */
  #domainsBehind(list: readonly NameKey[]): readonly Uint8Array[] {
    const known = this.#behind.get(list)
    if (known) return known
    const [, ...others] = list
    // A server that runs as a pod of the cluster has search domains there itself, of its own namespace and not of the client's.
    const last = others.at(-1)
    const more = this.#options.more.filter(domain => last === undefined || !isWithin(domain, last))
    const domains = [...new Set([...others, ...more, ROOT])].map(nameFromKey)
    this.#behind.set(list, domains)
    return domains
  }

  #walk(walk: Walk, from: number): Reply | Promise<Reply> {
    const { query, next, base, domains } = walk
    for (let i = from; i < domains.length; i++) {
      const target = joined(base, domains[i]!)
      if (target === undefined) continue
      const reply = next(makeQuery(target, query.type, query))
      if (reply instanceof Promise) return reply.then(late => this.#told(walk, target, late) ?? this.#walk(walk, i + 1))
      const told = this.#told(walk, target, reply)
      if (told) return told
    }
    return walk.plain
  }

  /** What the client is told when `target` got this reply; undefined where the walk goes on. */
  #told({ query, plain }: Walk, target: Uint8Array, reply: Reply): Reply | undefined {
    if (reply.answer.rcode === Rcode.NXDOMAIN) return undefined
    // Nobody answers such names in this server block: the client may know who does.
    const answer = reply.plugin === '' ? undefined : aliased(reply.answer, target, query.name)
    if (answer === undefined) return plain
    this.#found.add()
    return { ...reply, answer, current: true }
  }
}

/** The names that are at or below both. */
function within(one: NameKey, other: NameKey): NameKey[] {
  if (isWithin(one, other)) return [one]
  return isWithin(other, one) ? [other] : []
}

/** The labels in front of a domain; undefined where that makes no name. */
function joined(base: Uint8Array, domain: Uint8Array): Uint8Array | undefined {
  if (base.length + domain.length > MAX_NAME) return undefined
  const name = new Uint8Array(base.length + domain.length)
  name.set(base)
  name.set(domain, base.length)
  return name
}
