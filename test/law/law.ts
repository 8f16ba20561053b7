/**
 * The law of the answer table: with it and without it, every request gets the same octets, every line of the log is the same, and so
 * is every count; whatever the configuration, through changes of the cluster, the clock and the configuration.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PluginDefinition } from '../../src/plugin/plugin.ts'
import { autopathOn } from '../../src/plugins/autopath/index.ts'
import { plugins } from '../../src/plugins/index.ts'
import { Transport } from '../../src/table/counters.ts'
import { testClock } from '../helpers/clock.ts'
import { type Chance, chance } from '../wire/random.ts'
import { HOSTS_FILE, RESOLV_CONF, strangers, type Variant, variant } from './corefiles.ts'
import { change, smallCluster } from './objects.ts'
import { randomRequest } from './requests.ts'
import { Side } from './side.ts'
import { Upstream } from './upstream.ts'

const TRANSPORTS = [Transport.UDP4, Transport.UDP4, Transport.UDP4, Transport.UDP6, Transport.TCP4, Transport.TCP6]

export interface Findings {
  /** What differs; the first thing says enough. */
  readonly difference: string | undefined
  readonly requests: number
  /** How many of them were answered from the table. */
  readonly answered: number
  /** Of usual requests for names in the table, with Corefiles that hide nothing. */
  readonly plainRequests: number
  readonly plainAnswered: number
}

export interface Course {
  readonly seed: number
  /** The first of the variants of the Corefile, and how many follow. */
  readonly from: number
  readonly variants: number
  /** Requests to each. */
  readonly requests: number
  /** A folder to write to. */
  readonly directory: string
  /** Asked before each variant. */
  readonly goesOn?: () => boolean
}

export async function obeyed({
  seed,
  from,
  variants,
  requests,
  directory,
  goesOn = () => true,
}: Course): Promise<Findings> {
  const source = chance(seed)
  const clock = testClock()
  const cluster = smallCluster()
  const upstream = new Upstream()
  const luck = new Luck()
  const files = { hosts: join(directory, 'hosts'), resolvConf: join(directory, 'resolv.conf') }
  writeFileSync(files.hosts, HOSTS_FILE)
  writeFileSync(files.resolvConf, RESOLV_CONF)
  const replaced = [upstream.definition, autopathOn(files.resolvConf)]
  const world = { clock, cluster, random: luck.random, plugins: inOrder(replaced) }
  const sides = [new Side(world, true), new Side(world, false)] as const
  const [on, off] = sides
  const found = {
    difference: undefined as string | undefined,
    requests: 0,
    answered: 0,
    plainRequests: 0,
    plainAnswered: 0,
  }

  async function compare(asked: Variant): Promise<string | undefined> {
    const lines = [on.lines.length, off.lines.length] as const
    const { packet: request, usual } = randomRequest(source, names)
    const isPlain = asked.isPlain && usual !== undefined && names.includes(usual)
    const transport = source.pick(TRANSPORTS)
    const endpoint = source.below(2)
    const before = { asked: upstream.asked, answered: on.answered }
    const replies = []
    luck.turn++
    for (const side of sides) {
      luck.begin()
      replies.push(await side.exchange(request, transport, endpoint))
      // What goes on behind an answer comes to its end.
      if (upstream.asked > before.asked) await new Promise(resolve => setImmediate(resolve))
    }
    found.requests++
    if (isPlain) found.plainRequests++
    if (isPlain) found.plainAnswered += on.answered - before.answered
    const [got, wanted] = replies.map(reply => reply?.toString('hex') ?? 'silence')
    const [logged, expected] = [on.lines.slice(lines[0]).join('\n'), off.lines.slice(lines[1]).join('\n')]
    if (got === wanted && logged === expected) return undefined
    const by = on.answered > before.answered ? 'the table' : 'the chain'
    const what = got === wanted ? `logged ${logged}\nwanted ${expected}` : `got    ${got}\nwanted ${wanted}`
    return `${asked.name}\n${asked.corefile}\nasked  ${request.toString('hex')} over ${transport}, answered by ${by}\n${what}`
  }

  let names = on.names()
  for (let n = from; n < from + variants && goesOn() && found.difference === undefined; n++) {
    const asked = variant(n, source, files)
    for (const side of sides) await side.load(asked.corefile)
    names = on.names()
    for (let i = 0; i < requests && found.difference === undefined; i++) {
      if (source.below(30) === 0) {
        clock.advance(source.pick([0, 500, 1000, 7000]))
        change(cluster, source)
        names = on.names()
      }
      if (source.below(60) === 0) upstream.mood++
      if (source.below(20) === 0) clock.advance(source.pick([1, 999, 1000, 4000, 31_000]))
      found.difference = await compare(asked)
    }
    found.difference ??= differing(asked, await on.counts(), await off.counts())
  }
  for (const side of sides) await side.close()
  return { ...found, answered: on.answered }
}

/** The product's plugins with some in the place of those that have their name, and strangers before the cache and before `kubernetes`. */
function inOrder(replaced: readonly PluginDefinition[]): PluginDefinition[] {
  const [early, late] = strangers as [PluginDefinition, PluginDefinition]
  const before: Readonly<Record<string, PluginDefinition>> = { cache: early, kubernetes: late }
  return plugins.flatMap(plugin => {
    const stranger = before[plugin.name]
    return [...(stranger ? [stranger] : []), replaced.find(({ name }) => name === plugin.name) ?? plugin]
  })
}

function differing(asked: Variant, got: readonly string[], wanted: readonly string[]): string | undefined {
  const i = wanted.findIndex((line, i) => line !== got[i])
  if (i < 0 && got.length === wanted.length) return undefined
  return `${asked.name}\n${asked.corefile}\ncounted ${got[i]}\nwanted  ${wanted[i]}`
}

/** Chance that is the same for both sides in each turn. */
class Luck {
  turn = 1
  #source: Chance = chance(1)

  readonly random = (): number => this.#source.below(2 ** 32) / 2 ** 32

  begin(): void {
    this.#source = chance(this.turn)
  }
}
