/** Measures one server under one load: what a query costs it, and how soon it answers. */
import { type Case, cases } from './data.ts'
import type { Generator, Load } from './load.ts'
import { cpuSeconds, residentMb } from './process.ts'
import type { RunningServer, ServerName } from './servers.ts'

/** Queries per second at which latency is told. */
export const fixedRate = 10_000

/** One round, or the medians of several. */
export interface Figures {
  /** User and system time of the server, in microseconds. */
  readonly cpuPerQuery: number
  readonly perSecond: number
  /** Share of the questions, from 0 to 1. */
  readonly lost: number
  readonly meanMs: number
  readonly residentMb: number
  /** At the fixed rate, as are the next two. */
  readonly p50Ms: number
  readonly p99Ms: number
  readonly lostAtRate: number
}

export interface Result {
  readonly server: ServerName
  readonly case: Case
  readonly rounds: readonly Figures[]
  readonly medians: Figures
  /** How many answers had which code, in all rounds at full speed. */
  readonly codes: Readonly<Record<string, number>>
}

export interface Plan {
  readonly servers: readonly RunningServer[]
  readonly cases: readonly Case[]
  /** The file with the questions of each case. */
  readonly files: Readonly<Record<Case, string>>
  readonly generator: Generator
  readonly rounds: number
  readonly seconds: number
  readonly signal: AbortSignal
  say(line: string): void
}

/**
 * Measures every server in every case, once a round, so that what else the machine does falls on all of them. A first round that
 * does not count warms them up. In each round another server comes first.
 */
export async function measureAll(plan: Plan): Promise<Result[]> {
  const { servers, rounds, say } = plan
  const measured = plan.cases.flatMap(which => servers.map(server => ({ which, server, samples: [] as Sample[] })))
  say('warming up')
  for (const { which, server } of measured) await load(plan, server, which, 1)
  for (let round = 1; round <= rounds; round++) {
    for (const which of cases.filter(name => plan.cases.includes(name))) {
      const row = measured.filter(entry => entry.which === which)
      for (let n = 0; n < row.length; n++) {
        const { server, samples } = row[(n + round) % row.length]!
        const sample = await measure(plan, server, which)
        samples.push(sample)
        const { cpuPerQuery, perSecond } = sample.figures
        say(
          `round ${round} of ${rounds}: ${which} ${server.name} ${cpuPerQuery.toFixed(2)} us/query, ${Math.round(perSecond)}/s`,
        )
      }
    }
  }
  return measured.map(({ which, server, samples }) => ({
    server: server.name,
    case: which,
    rounds: samples.map(({ figures }) => figures),
    medians: mediansOf(samples.map(({ figures }) => figures)),
    codes: sumOf(samples.map(({ codes }) => codes)),
  }))
}

interface Sample {
  readonly figures: Figures
  readonly codes: Load['codes']
}

async function measure(plan: Plan, server: RunningServer, which: Case): Promise<Sample> {
  const before = cpuSeconds(server.pid)
  const full = await load(plan, server, which, plan.seconds)
  const cpu = cpuSeconds(server.pid) - before
  const resident = residentMb(server.pid)
  const paced = await load(plan, server, which, plan.seconds, fixedRate)
  const latencies = paced.latencies.toSorted((a, b) => a - b)
  const figures = {
    cpuPerQuery: (cpu / full.answered) * 1e6,
    perSecond: full.perSecond,
    lost: lostShare(full),
    meanMs: full.meanMs,
    residentMb: resident,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    lostAtRate: lostShare(paced),
  }
  return { figures, codes: full.codes }
}

function load(plan: Plan, { port }: RunningServer, which: Case, seconds: number, rate?: number): Promise<Load> {
  const { generator, files, signal } = plan
  return generator.run({ port, questions: files[which], seconds, signal, ...(rate === undefined ? {} : { rate }) })
}

function lostShare({ answered, lost }: Load): number {
  return lost / (answered + lost)
}

/** The value that the share `q` of the sorted values does not pass. */
function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
}

/** Figure by figure; of the two in the middle the lower. */
function mediansOf(rounds: readonly Figures[]): Figures {
  const median = (key: keyof Figures) =>
    quantile(
      rounds.map(round => round[key]).sort((a, b) => a - b),
      0.5,
    )
  return {
    cpuPerQuery: median('cpuPerQuery'),
    perSecond: median('perSecond'),
    lost: median('lost'),
    meanMs: median('meanMs'),
    residentMb: median('residentMb'),
    p50Ms: median('p50Ms'),
    p99Ms: median('p99Ms'),
    lostAtRate: median('lostAtRate'),
  }
}

function sumOf(counts: readonly Load['codes'][]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const [code, count] of counts.flatMap(Object.entries<number>)) sum[code] = (sum[code] ?? 0) + count
  return sum
}
