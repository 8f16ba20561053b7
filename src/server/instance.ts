/**
 * One generation of the configuration: a Corefile's server blocks with their plugins set up, and a router for each address and
 * port. Loading has no side effects; `start` and `stop` run the plugins' own.
 */
import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { type HostPort, hostPort } from '../corefile/addresses.ts'
import { checkOverlaps, checkPlugins, checkTransports } from '../corefile/checks.ts'
import type { Directive } from '../corefile/directive.ts'
import { corefileError } from '../corefile/errors.ts'
import { type ParseOptions, parseCorefile } from '../corefile/parser.ts'
import { directivesNamed, onlyDirective, type ServerBlock } from '../corefile/server-block.ts'
import type { HttpHub } from '../net/http-hub.ts'
import type { Clock, Random } from '../observe/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import { chain } from '../plugin/chain.ts'
import type {
  Block,
  Fixture,
  Next,
  Plugin,
  PluginDefinition,
  Reply,
  Resources,
  ServerControl,
  SetupContext,
} from '../plugin/plugin.ts'
import type { Spaces } from '../table/contract.ts'
import { SERVFAIL } from '../wire/answer.ts'
import type { Query } from '../wire/query.ts'
import { EVERY_ADDRESS } from './binding.ts'
import { Router, type RunningBlock } from './router.ts'

/** What every generation is made from. */
export interface Surroundings {
  readonly plugins: readonly PluginDefinition[]
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: Metrics
  readonly http: HttpHub
  readonly resources: Resources
  /** What plugins may ask of the server; `ask`, `addresses` and `corefileHash` are the instance's own. */
  readonly control: Omit<ServerControl, 'ask' | 'addresses' | 'corefileHash' | 'republish'>
  /** The answer table, and what is to be done when what plugins publish changes; both absent without one. */
  readonly table?: Spaces | undefined
  readonly republish?: (() => void) | undefined
  /** As plugins get it. */
  readonly clusters?: SetupContext['clusters']
  /** What is told of queries that no server block takes, by the label of the address (`dns://:53`). */
  readonly dropped: (label: string) => (query: Query) => void
}

/** How often one query may make another: a chain of names that leads back to itself must end. */
const MAX_DEPTH = 8

const early: Reply = { answer: SERVFAIL, plugin: '', error: new Error('asked before the plugins were set up') }
const tooDeep: Reply = { answer: SERVFAIL, plugin: '', error: new Error('too many queries within one query') }

export class Instance {
  readonly blocks: readonly RunningBlock[]
  readonly corefileHash: string
  /** By `host:port`. */
  readonly #routers = new Map<string, { readonly endpoint: HostPort; readonly router: Router }>()
  #listening: readonly { readonly address: string; readonly port: number }[] = []

  private constructor(parsed: readonly ServerBlock[], file: string, surroundings: Surroundings) {
    this.corefileHash = hashOf(parsed)
    this.blocks = parsed.map(block => this.#setUp(block, file, surroundings))
    const groups = new Map<string, { endpoint: HostPort; blocks: RunningBlock[] }>()
    for (const [i, block] of this.blocks.entries()) {
      const ports = Map.groupBy(parsed[i]!.addresses, address => address.port)
      for (const [port, addresses] of ports) {
        // A block may serve some of its zones at one port and the rest at another.
        const served = { ...block, origins: addresses.map(address => address.origin) }
        for (const host of hostsOf(block)) {
          const key = endpointText({ host, port })
          const group = groups.get(key) ?? { endpoint: { host, port }, blocks: [] }
          group.blocks.push(served)
          groups.set(key, group)
        }
      }
    }
    for (const [key, { endpoint, blocks }] of groups) {
      this.#routers.set(key, { endpoint, router: new Router(blocks, surroundings.dropped(`dns://${key}`)) })
    }
  }

  /** Parses and checks a Corefile and sets its plugins up. Throws a positioned PortolanError at the first mistake. */
  static load(text: string, options: ParseOptions, surroundings: Surroundings): Instance {
    const parsed = parseCorefile(text, options)
    if (parsed.length === 0) throw nothingToServe(options.file)
    checkPlugins(
      parsed,
      surroundings.plugins.map(plugin => plugin.name),
    )
    checkTransports(parsed, ['dns'])
    checkOverlaps(parsed)
    return new Instance(parsed, options.file ?? 'Corefile', surroundings)
  }

  /** The hash of what a Corefile says, comments and layout aside. Throws where it cannot be parsed. */
  static hash(text: string, options: ParseOptions): string {
    return hashOf(parseCorefile(text, options))
  }

  /** The addresses that the configuration wants served. */
  get endpoints(): HostPort[] {
    return [...this.#routers.values()].map(({ endpoint }) => endpoint)
  }

  /** The router of an endpoint of this instance. */
  router(endpoint: HostPort): Router | undefined {
    return this.#routers.get(endpointText(endpoint))?.router
  }

  /** Starts every plugin; `stop` is still to be called where that fails. */
  start(): Promise<void> {
    return this.#each(plugin => plugin.start?.())
  }

  /** Tells the instance where it listens, once it does. */
  listening(addresses: readonly { readonly address: string; readonly port: number }[]): void {
    this.#listening = addresses
  }

  /** Resolves when the queries that its plugins are working on now are answered. */
  async settled(): Promise<void> {
    await Promise.all([...this.#routers.values()].map(({ router }) => router.settled()))
  }

  drain(): Promise<void> {
    return this.#each(plugin => plugin.drain?.())
  }

  stop(): Promise<void> {
    return this.#each(plugin => plugin.stop?.())
  }

  /** Throws the first failure when all have settled: what the others hold is given back all the same. */
  async #each(step: (plugin: Plugin | Fixture) => Promise<void> | undefined): Promise<void> {
    const plugins = this.blocks.flatMap(block => block.plugins)
    const settled = await Promise.allSettled(plugins.map(async plugin => step(plugin)))
    const failure = settled.find(result => result.status === 'rejected')
    if (failure) throw failure.reason
  }

  #setUp(parsed: ServerBlock, file: string, surroundings: Surroundings): RunningBlock {
    const plugins: (Plugin | Fixture)[] = []
    const origins = [...new Set(parsed.addresses.map(address => address.origin))]
    const { port } = parsed.addresses[0]!
    const block: RunningBlock & { chain: Next } = {
      origins,
      port,
      get label() {
        return `dns://${hostPort(this.listen[0] ?? '', port)}`
      },
      listen: [],
      directory: dirname(file),
      directives: parsed.directives,
      plugins,
      chain: () => early,
    }
    const context: Omit<SetupContext, 'log'> = {
      ...surroundings,
      block,
      get directory() {
        return block.directory
      },
      server: this.#control(block, surroundings),
    }
    for (const definition of surroundings.plugins) {
      for (const use of usesOf(definition, parsed)) {
        plugins.push(definition.setup(use, { ...context, log: surroundings.log.scoped(`plugin/${definition.name}`) }))
      }
    }
    block.chain = chain(plugins.filter((plugin): plugin is Plugin => plugin.handle !== undefined))
    return block
  }

  #control(block: RunningBlock, { control, republish }: Surroundings): ServerControl {
    return {
      ...control,
      corefileHash: this.corefileHash,
      ask: query => {
        if (query.depth > MAX_DEPTH) return tooDeep
        const router = this.router({ host: hostsOf(block)[0]!, port: block.port })
        return router === undefined ? early : router.answer(query)
      },
      addresses: () => this.#listening,
      republish: () => republish?.(),
    }
  }
}

/** Where a block listens: the wildcards of both families are one, which takes all addresses of both, as in CoreDNS. */
function hostsOf({ listen }: Block): string[] {
  const hosts = listen.length === 0 ? [''] : listen.map(host => (EVERY_ADDRESS.has(host) ? '' : host))
  return [...new Set(hosts)]
}

export function endpointText({ host, port }: HostPort): string {
  return hostPort(host, port)
}

/** CoreDNS takes an empty file for none and tells clients their own address: not what the author of a Corefile wants. */
function nothingToServe(file = 'Corefile') {
  const at = { file, line: 1, column: 1 }
  return corefileError('PORTOLAN_COREFILE_SYNTAX', at, 'there is no server block: nothing would be served')
}

function usesOf({ name, repeatable }: PluginDefinition, block: ServerBlock): Directive[] {
  if (repeatable !== true) onlyDirective(block, name)
  return directivesNamed(block, name)
}

function hashOf(blocks: readonly ServerBlock[]): string {
  const plain = (directive: Directive): unknown => [
    directive.name,
    directive.args.map(({ text }) => text),
    directive.block?.map(plain),
  ]
  const said = blocks.map(({ addresses, directives }) => [
    addresses.map(({ transport, zone, port }) => [transport, zone, port]),
    directives.map(plain),
  ])
  return createHash('sha512').update(JSON.stringify(said)).digest('hex')
}
