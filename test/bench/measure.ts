/** Measures servers side by side under loads: what a query costs each, how many it answers, and how soon. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type LoadCase, loadCases } from './cases.ts'
import type { Entry } from './data.ts'
import type { Generator, Load } from './load.ts'
import { cpuSeconds, droppedPackets } from './process.ts'
import type { ServerName } from './programs.ts'
import type { RunningServer } from './servers.ts'
import { medians, quantile } from './statistics.ts'

/** Queries per second at which latency is told. */
export const fixedRates = [10_000, 20_000] as const
/** As many questions of their own as any of the servers answers in a second, where each has to be new. */
const freshPerSecond = 80_000

/** One round at full speed, or the medians of several. */
export type Speed = {
  /** User and system time of the server, in microseconds. */
  readonly cpuPerQuery: number
  readonly perSecond: number
  /** Share of the questions, from 0 to 1. */
  readonly lost: number
}

/** One round at a fixed rate, or the medians of several. */
export type Latency = {
  readonly rate: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly lost: number
  /** Packets that the kernel dropped since the server did not read them in time. */
  readonly dropped: number
}

export interface Result {
  readonly server: ServerName
  readonly case: string
  readonly rounds: readonly Round[]
  /** Absent where only latency is measured. */
  readonly speed?: Speed
  readonly latency: readonly Latency[]
  /** How many answers had which code, in all rounds. */
  readonly codes: Readonly<Record<string, number>>
}

export interface Round {
  readonly speed?: Speed
  readonly latency: readonly Latency[]
  readonly codes: Load['codes']
}

export interface Plan {
  readonly entries: readonly Entry[]
  readonly generator: Generator
  readonly rounds: number
  readonly seconds: number
  /** For files of questions. */
  readonly folder: string
  readonly signal: AbortSignal
  say(line: string): void
}

/**
 * Measures every server in every case that is for it, once a round, so that what else the machine does falls on all of them. A
 * first round that does not count warms them up. In each round another server comes first.
 */
export async function measureAll(
  plan: Plan,
  cases: readonly LoadCase[],
  servers: readonly RunningServer[],
): Promise<Result[]> {
  const { rounds, generator, say } = plan
  if (cases.length === 0) return []
  const files = new QuestionFiles(plan)
  const measured = cases
    .filter(({ tcp }) => !tcp || generator.canTcp)
    .map(which => ({
      which,
      row: servers
        .filter(({ name }) => which.servers.includes(name))
        .map(server => ({ server, rounds: [] as Round[] })),
    }))
  say('warming up')
  for (const { which, row } of measured) {
    for (const { server } of row) await ask(plan, server, which, await files.of(which, freshPerSecond), 1)
  }
  for (let round = 1; round <= rounds; round++) {
    for (const { which, row } of measured) {
      for (let n = 0; n < row.length; n++) {
        const { server, rounds: done } = row[(n + round) % row.length]!
        const figures = await measure(plan, files, server, which)
        done.push(figures)
        say(`round ${round} of ${rounds}: ${which.name} ${server.name} ${inShort(figures)}`)
      }
    }
  }
  return measured.flatMap(({ which, row }) =>
    row.map(({ server, rounds }) => resultOf(server.name, which.name, rounds)),
  )
}

/** What the rounds come to. */
export function resultOf(server: ServerName, which: string, rounds: readonly Round[]): Result {
  const speeds = rounds.flatMap(({ speed }) => speed ?? [])
  const latency = (rounds[0]?.latency ?? []).map((_, n) => medians(rounds.map(({ latency }) => latency[n]!)))
  const speed = speeds.length > 0 ? { speed: medians(speeds) } : {}
  return { server, case: which, rounds, ...speed, latency, codes: codesOf(rounds) }
}

/** How many answers had which code in all of them. */
export function codesOf(rounds: readonly Round[]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const [code, count] of rounds.flatMap(({ codes }) => Object.entries(codes))) sum[code] = (sum[code] ?? 0) + count
  return sum
}

/** Asks at a fixed rate and tells how soon the answers came. */
export async function latencyAt(
  plan: Plan,
  server: RunningServer,
  questions: string,
  rate: number,
  options: { readonly edns?: boolean; readonly tcp?: boolean; readonly seconds?: number } = {},
): Promise<{ latency: Latency; codes: Load['codes'] }> {
  const { generator, signal } = plan
  const { seconds = plan.seconds, ...rest } = options
  const droppedBefore = droppedPackets(server.port)
  const load = await generator.run({ port: server.port, questions, seconds, rate, signal, ...rest })
  const dropped = droppedPackets(server.port) - droppedBefore
  const sorted = load.latencies.toSorted((a, b) => a - b)
  const [p50Ms, p99Ms, p999Ms] = [quantile(sorted, 0.5), quantile(sorted, 0.99), quantile(sorted, 0.999)]
  return { latency: { rate, p50Ms, p99Ms, p999Ms, lost: lostShare(load), dropped }, codes: load.codes }
}

export function inShort({ speed, latency }: Round): string {
  return [
    ...(speed ? [`${speed.cpuPerQuery.toFixed(2)} us/query, ${Math.round(speed.perSecond)}/s`] : []),
    ...latency.map(({ rate, p99Ms }) => `p99 ${p99Ms.toFixed(2)} ms at ${rate}/s`),
  ].join(', ')
}

async function measure(plan: Plan, files: QuestionFiles, server: RunningServer, which: LoadCase): Promise<Round> {
  const { seconds, signal } = plan
  if (which.beside !== undefined) return measureBeside(plan, files, server, which, which.beside)
  if (which.warm) await ask(plan, server, which, await files.of(which, 0), 1)
  const questions = await files.of(which, freshPerSecond * seconds)
  const before = cpuSeconds(server.pid)
  const full = await ask(plan, server, which, questions, seconds)
  const cpu = cpuSeconds(server.pid) - before
  const { edns = false, tcp = false } = which
  const latency: Latency[] = []
  for (const rate of fixedRates) {
    signal.throwIfAborted()
    const paced = await latencyAt(plan, server, await files.of(which, rate * seconds), rate, { edns, tcp })
    latency.push(paced.latency)
  }
  return {
    speed: { cpuPerQuery: (cpu / full.answered) * 1e6, perSecond: full.perSecond, lost: lostShare(full) },
    latency,
    codes: full.codes,
  }
}

/** The latency of one kind of questions while others are asked too. */
async function measureBeside(
  plan: Plan,
  files: QuestionFiles,
  server: RunningServer,
  which: LoadCase,
  { name, rate }: NonNullable<LoadCase['beside']>,
): Promise<Round> {
  const { generator, seconds, signal } = plan
  const other = loadCases.find(each => each.name === name)!
  const [own, others] = [await files.of(which, 0), await files.of(other, 0)]
  const [{ latency, codes }] = await Promise.all([
    latencyAt(plan, server, own, fixedRates[0]),
    generator.run({ port: server.port, questions: others, seconds, rate, signal }),
  ])
  return { latency: [latency], codes }
}

function ask(plan: Plan, { port }: RunningServer, which: LoadCase, questions: string, seconds: number): Promise<Load> {
  const { generator, signal } = plan
  const { edns = false, tcp = false } = which
  return generator.run({ port, questions, seconds, edns, tcp, signal })
}

function lostShare({ answered, lost }: Load): number {
  return lost / (answered + lost)
}

/** The questions as files: one for each case, and one for each run where they have to be new. */
export class QuestionFiles {
  readonly #plan: Plan
  readonly #files = new Map<LoadCase, string>()
  #run = 0

  constructor(plan: Plan) {
    this.#plan = plan
  }

  /** Path of a file with `count` questions where they have to be new, and with all that there are otherwise. */
  async of(which: LoadCase, count: number): Promise<string> {
    const known = this.#files.get(which)
    if (known !== undefined && !which.fresh) return known
    const { folder, entries } = this.#plan
    const file = join(folder, `${which.name}.txt`)
    await mkdir(folder, { recursive: true })
    await writeFile(file, `${which.questions(entries, this.#run++, count).join('\n')}\n`)
    this.#files.set(which, file)
    return file
  }
}
