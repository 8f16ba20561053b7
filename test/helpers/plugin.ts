/** Sets a single plugin up from Corefile text, in surroundings that a test controls. */
import { parseCorefile } from '../../src/corefile/parser.ts'
import { logger } from '../../src/observe/logger.ts'
import { type Metrics, metrics } from '../../src/observe/metrics.ts'
import type { Block, Fixture, Plugin, PluginDefinition, SetupContext } from '../../src/plugin/plugin.ts'
import type { NameKey } from '../../src/wire/name.ts'
import { nameFromText } from '../../src/wire/name.ts'
import { type Edns, makeQuery, type Peer, type Query } from '../../src/wire/query.ts'
import { Class, typeNumber } from '../../src/wire/types.ts'
import { type TestClock, testClock } from './clock.ts'

export interface PluginBench {
  readonly plugin: Plugin
  /** What the plugin was set up with. */
  readonly context: SetupContext
  readonly clock: TestClock
  readonly metrics: Metrics
  /** What it logged, one line each. */
  readonly lines: string[]
}

export interface BenchOptions {
  readonly directory?: string
  readonly random?: () => number
  /** Other links of the server block. */
  readonly plugins?: readonly (Plugin | Fixture)[]
  readonly clock?: TestClock
  /** Parts of the surroundings that the plugin needs and others do not. */
  readonly context?: Partial<SetupContext>
}

/** `text` is the directive with its block, as it stands in a server block for `zone` (default the root). */
export function pluginBench(
  definition: PluginDefinition,
  text: string,
  { zone = '.', ...options }: BenchOptions & { readonly zone?: string } = {},
): PluginBench {
  const [parsed] = parseCorefile(`${zone} {\n${text}\n}\n`)
  const [directive] = parsed!.directives
  const clock = options.clock ?? testClock()
  const lines: string[] = []
  const block: Block = {
    origins: parsed!.addresses.map(({ origin }) => origin),
    port: 53,
    label: 'dns://:53',
    listen: [],
    directory: options.directory ?? '/nonexistent',
    directives: parsed!.directives,
    plugins: options.plugins ?? [],
  }
  const counted = metrics()
  const context: SetupContext = {
    block,
    clock,
    random: options.random ?? (() => 0),
    log: logger({ format: 'text', write: line => lines.push(line.trimEnd()) }),
    metrics: counted,
    http: unavailable('http'),
    directory: options.directory ?? '/nonexistent',
    resources: unavailable('resources'),
    server: unavailable('server'),
    ...options.context,
  }
  return { plugin: definition.setup(directive!, context) as Plugin, context, clock, metrics: counted, lines }
}

/** A part of the surroundings that the plugin under test is not supposed to use. */
function unavailable<T extends object>(name: string): T {
  return new Proxy({} as T, {
    get(_target, property) {
      throw new Error(`${name}.${String(property)} is not there in this test`)
    },
  })
}

export interface Asking {
  readonly peer?: Partial<Peer>
  readonly bits?: number
  readonly edns?: Partial<Edns>
  readonly class?: number
}

/** A client's query for `name` and a type's mnemonic. */
export function queryFor(name: string, type = 'A', asking: Asking = {}): Query {
  const peer: Peer = {
    protocol: 'udp',
    address: '192.0.2.1',
    port: 40_000,
    localAddress: '127.0.0.1',
    localPort: 53,
    ...asking.peer,
  }
  const edns = asking.edns && { size: 1232, version: 0, flags: 0, optionsAt: 0, optionsEnd: 0, ...asking.edns }
  const query = makeQuery(nameFromText(name)!, typeNumber(type)!, { peer, edns })
  return query.with({ bits: asking.bits ?? query.bits, class: asking.class ?? Class.IN, origin: '\0' as NameKey })
}
