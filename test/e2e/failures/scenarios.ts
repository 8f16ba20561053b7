/** The faults: of the API server, of etcd, and of the network between. Credentials and rights have a file of their own. */
import { setTimeout as sleep } from 'node:timers/promises'
import { service } from '../objects.ts'
import type { WatchEvent } from '../relay.ts'
import { existing, type Subject, space } from './subjects.ts'
import type { Scenario, Stage, Trial } from './trial.ts'

const awayMs = 3000
const delayMs = 10_000
const writers = 8
/** What is waited for when a fault needs an event to happen. */
const patienceMs = 10_000

/** Until the self-check has looked, and what it found is repaired. */
const healedBySelfCheck = {
  bound: ({ selfCheck }: Stage): number => selfCheck + 5,
  options: ({ selfCheck }: Stage): string[] => [`self_check ${selfCheck}s`],
}
const gone = async ({ relay }: Trial): Promise<string | undefined> =>
  relay.gone > 0 ? undefined : 'the API server never said that the past is gone'

const killed: Scenario = {
  name: 'API server killed and restarted',
  bound: () => 35,
  way: 'straight',
  async run({ cluster }) {
    await cluster.plane.kill()
    await sleep(awayMs)
    await cluster.plane.restart()
    return performance.now()
  },
}

function cutInside(name: string, how: 'break-inside' | 'end-inside'): Scenario {
  return {
    name,
    bound: () => 2,
    async run({ relay }) {
      relay.cut(how)
      await until(() => relay.cutting === 0)
      return performance.now()
    },
  }
}

const compacted: Scenario = {
  name: 'etcd compacted while away',
  bound: () => 10,
  async run({ cluster, relay }) {
    relay.goAway()
    await sleep(awayMs)
    await cluster.plane.compact()
    relay.comeBack()
    return performance.now()
  },
}

const withoutCache: Scenario = {
  ...compacted,
  name: 'the same, API server without watch cache (410)',
  async prepare({ cluster }) {
    await cluster.plane.restart({ watchCache: false })
    return []
  },
  missed: gone,
  restore: ({ cluster }) => cluster.plane.restart(),
}

const restarted: Scenario = {
  name: 'API server restarted while away (410)',
  bound: () => 10,
  async run({ cluster, relay }) {
    relay.goAway()
    await sleep(awayMs)
    await cluster.plane.restart()
    relay.comeBack()
    return performance.now()
  },
  missed: gone,
}

const stalled: Scenario = {
  name: 'all watches stalled, and not closed',
  ...healedBySelfCheck,
  async run({ relay }) {
    relay.stall()
    return performance.now()
  },
}

const lost: Scenario = {
  name: 'an update, a creation and a deletion lost',
  ...healedBySelfCheck,
  async run({ relay, cast }) {
    const names = victimsSeen(cast.victims.length)
    relay.fateOf = event => (names.claim(event) ? 'lose' : 'pass')
    await Promise.all(cast.victims.map(victim => victim.change()))
    await until(() => names.all())
    return performance.now()
  },
}

const held: Scenario = {
  name: 'events 10 s late, and all behind them',
  bound: () => 12,
  async run({ relay, cast }) {
    // One of each kind: a second one behind the first would be held once more.
    const victims = cast.victims.slice(0, 2)
    const names = victimsSeen(victims.length)
    relay.fateOf = event => (names.claim(event) ? { holdMs: delayMs } : 'pass')
    await Promise.all(victims.map(victim => victim.change()))
    return performance.now()
  },
}

const overtaken: Scenario = {
  name: 'events 10 s late, overtaken by others',
  bound: () => 12,
  async run({ relay, cast }) {
    const names = victimsSeen(cast.victims.length)
    relay.fateOf = event => (names.claim(event) ? { lateMs: delayMs } : 'pass')
    await Promise.all(cast.victims.map(victim => victim.change()))
    return performance.now()
  },
}

/** Claims each event of a victim the first time it comes. */
function victimsSeen(count: number): { claim(event: WatchEvent): boolean; all(): boolean } {
  const claimed = new Set<string>()
  return {
    claim({ name, type }) {
      const own = /^(?:web|peers)-10\d(?:-ipv4)?$/.test(name) && type !== 'BOOKMARK' && !claimed.has(name)
      if (own) claimed.add(name)
      return own
    },
    all: () => claimed.size === count,
  }
}

const replaced: Scenario = {
  name: 'most services replaced while away',
  bound: () => 40,
  async prepare({ cluster, many, say }) {
    const { client } = cluster.plane
    const numbers = Array.from({ length: many }, (_, n) => n)
    const parts = [
      ...numbers.map(n => existing(client, service(`${space}/old-${n}`, address(104, n), ['http:80']), true)),
      ...numbers.map(n => existing(client, service(`${space}/new-${n}`, address(108, n), ['http:80']), false)),
    ]
    say(`creating ${many} services`)
    await withWriters(
      parts.flatMap(({ objects }) => objects),
      object => client.ensure(object),
    )
    return parts.map(({ subject }) => subject)
  },
  async run({ relay, more, many, say }) {
    relay.goAway()
    say(`deleting ${many} services and creating ${many} others`)
    await withWriters(more, (subject: Subject) => subject.change())
    relay.comeBack()
    return performance.now()
  },
}

function address(block: number, n: number): string {
  return `10.${block}.${n >> 8}.${n & 255}`
}

async function withWriters<T>(each: readonly T[], write: (one: T) => Promise<void>): Promise<void> {
  const queue = each.values()
  const writer = async (): Promise<void> => {
    for (const one of queue) await write(one)
  }
  await Promise.all(Array.from({ length: writers }, writer))
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!holds() && performance.now() < deadline) await sleep(10)
}

export const networkScenarios: readonly Scenario[] = [
  killed,
  cutInside('watches broken inside an event', 'break-inside'),
  cutInside('watches ended inside an event', 'end-inside'),
  compacted,
  withoutCache,
  restarted,
  stalled,
  lost,
  held,
  overtaken,
  replaced,
]
