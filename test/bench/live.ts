/**
 * Measures servers one at a time on a cluster that changes: how soon they are ready, how soon they answer while endpoints change and
 * while all is listed again, and how soon a change is in the answers. A server that stood by would take part of the machine, since
 * each of them follows the cluster.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { PortolanError } from '../../src/errors.ts'
import { type LiveCase, loadCases } from './cases.ts'
import { churn, followPatches } from './change.ts'
import type { LiveCluster } from './cluster.ts'
import { probed } from './data.ts'
import {
  codesOf,
  fixedRates,
  inShort,
  latencyAt,
  type Plan,
  QuestionFiles,
  type Result,
  type Round,
  resultOf,
} from './measure.ts'
import { memory } from './process.ts'
import type { Program, ServerName } from './programs.ts'
import { type RunningServer, type Site, startServer } from './servers.ts'
import { median, quantile } from './statistics.ts'

const changesPerSecond = 50
/** Client libraries wait a second or two before they list again. */
const relistSeconds = 6
const [relistAfterMs, afterRelistMs] = [300, 2000]
/** Patches in each round: the first in a new process takes longer than those after it, and is less than one in a hundred. */
const patches = 200
/** With a server that keeps answers for as long as their TTL, each patch takes that long. */
const patchesIfKept = 2
const followMs = 35_000

export interface Startup {
  readonly server: ServerName
  /** From the start of the process to the first right answers: the median. */
  readonly readySeconds: number
  readonly rounds: readonly number[]
  /** The most memory until then, and what it holds then. */
  readonly peakMb: number
  readonly residentMb: number
}

/** How soon answers follow a patch, in milliseconds. */
export interface Programming {
  readonly server: ServerName
  /** Whether `cache` keeps names of the cluster. */
  readonly cached: boolean
  readonly patches: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface Live {
  /** Of churn and relist. */
  readonly results: readonly Result[]
  readonly startups: readonly Startup[]
  readonly programming: readonly Programming[]
}

interface Subject {
  readonly program: Program
  readonly starts: { readySeconds: number; peakMb: number; residentMb: number }[]
  readonly churn: Round[]
  readonly relist: Round[]
  readonly patched: { readonly cached: number[]; readonly fresh: number[] }
}

export async function measureLive(
  plan: Plan,
  cases: readonly LiveCase[],
  programs: readonly Program[],
  site: Site,
  cluster: LiveCluster,
): Promise<Live> {
  const subjects: Subject[] = programs
    .filter(({ knows }) => knows === 'corefile')
    .map(program => ({ program, starts: [], churn: [], relist: [], patched: { cached: [], fresh: [] } }))
  for (let round = 0; round < plan.rounds; round++) {
    for (let n = 0; n < subjects.length; n++) {
      const subject = subjects[(n + round) % subjects.length]!
      const say = (what: string) => plan.say(`round ${round + 1} of ${plan.rounds}: ${subject.program.name} ${what}`)
      const turn = { plan, cases, subject, site, cluster, isFirst: round === 0, say }
      if (cases.some(name => name === 'start' || name === 'churn')) await startAndChurn(turn)
      if (cases.includes('relist')) await relist(turn)
      if (cases.includes('programming')) await follow(turn)
    }
  }
  return {
    results: subjects.flatMap(({ program: { name }, churn, relist }) => [
      ...(churn.length > 0 ? [resultOf(name, 'churn', churn)] : []),
      ...(relist.length > 0 ? [resultOf(name, 'relist', relist)] : []),
    ]),
    startups: subjects.filter(({ starts }) => starts.length > 0).map(startupOf),
    programming: subjects.flatMap(({ program: { name }, patched }) => [
      ...programmingOf(name, true, patched.cached),
      ...programmingOf(name, false, patched.fresh),
    ]),
  }
}

/** What one server does in one round. */
interface Turn {
  readonly plan: Plan
  readonly cases: readonly LiveCase[]
  readonly subject: Subject
  readonly site: Site
  readonly cluster: LiveCluster
  readonly isFirst: boolean
  say(what: string): void
}

async function startAndChurn({ plan, cases, subject, site, cluster, say }: Turn): Promise<void> {
  await using server = await startServer(subject.program, site)
  const start = { readySeconds: server.readySeconds, ...memory(server.pid) }
  subject.starts.push(start)
  say(`ready after ${start.readySeconds.toFixed(2)} s`)
  if (!cases.includes('churn')) return
  const questions = await warmedUp(plan, server)
  const own = probed(plan.entries)
  const changing = plan.entries.filter(entry => entry.members.length > 0 && !own.includes(entry))
  const ended = new AbortController()
  const changes = churn(cluster.client, changing, changesPerSecond, ended.signal)
  const load = atAllRates(plan, server, questions).finally(() => ended.abort())
  const [figures, taken] = await Promise.all([load, changes])
  subject.churn.push(figures)
  say(`churn: ${inShort(figures)}; the API server took ${taken} changes`)
}

async function relist({ plan, subject, site, cluster, say }: Turn): Promise<void> {
  await using relay = await cluster.relay()
  await using server = await startServer(subject.program, { ...site, cluster: relay.option })
  const questions = await warmedUp(plan, server)
  const rounds: Round[] = []
  for (const rate of fixedRates) {
    const [{ latency, codes }] = await Promise.all([
      latencyAt(plan, server, questions, rate, { seconds: relistSeconds }),
      sleep(relistAfterMs).then(() => relay.expire()),
    ])
    if ((await relay.lists()) === 0)
      throw new PortolanError(
        'PORTOLAN_BENCH_RELIST',
        `${server.name} did not list the cluster again within ${relistSeconds} s`,
      )
    rounds.push({ latency: [latency], codes })
    // What is still being listed shall not fall on the next rate.
    await sleep(afterRelistMs)
  }
  const figures = joined(rounds)
  subject.relist.push(figures)
  say(`relist: ${inShort(figures)}`)
}

async function follow({ plan, subject, site, cluster, isFirst, say }: Turn): Promise<void> {
  const { program, patched } = subject
  const keeps = program.name === 'coredns'
  if (!keeps || isFirst) {
    await using server = await startServer(program, { ...site, cacheAll: true })
    const count = keeps ? patchesIfKept : patches
    patched.cached.push(...(await followPatches(cluster.client, server.port, count, followMs, plan.signal)))
    say(`answers follow a patch after ${median(patched.cached).toFixed(2)} ms, with cache 30`)
  }
  if (keeps) {
    await using server = await startServer(program, site)
    patched.fresh.push(...(await followPatches(cluster.client, server.port, patches, followMs, plan.signal)))
    say(`answers follow a patch after ${median(patched.fresh).toFixed(2)} ms`)
  }
}

/** The questions of the mix, which the server has answered before. */
async function warmedUp(plan: Plan, { port }: RunningServer): Promise<string> {
  const { generator, signal } = plan
  const mix = loadCases.find(({ name }) => name === 'mix')!
  const questions = await new QuestionFiles(plan).of(mix, 0)
  await generator.run({ port, questions, seconds: 1, signal })
  return questions
}

async function atAllRates(plan: Plan, server: RunningServer, questions: string): Promise<Round> {
  const rounds: Round[] = []
  for (const rate of fixedRates) {
    const { latency, codes } = await latencyAt(plan, server, questions, rate)
    rounds.push({ latency: [latency], codes })
  }
  return joined(rounds)
}

/** One round of loads that came after each other. */
function joined(parts: readonly Round[]): Round {
  return { latency: parts.flatMap(({ latency }) => latency), codes: codesOf(parts) }
}

function startupOf({ program, starts }: Subject): Startup {
  const rounds = starts.map(({ readySeconds }) => readySeconds)
  return {
    server: program.name,
    rounds,
    readySeconds: median(rounds),
    peakMb: median(starts.map(({ peakMb }) => peakMb)),
    residentMb: median(starts.map(({ residentMb }) => residentMb)),
  }
}

function programmingOf(server: ServerName, cached: boolean, took: readonly number[]): Programming[] {
  if (took.length === 0) return []
  const sorted = took.toSorted((a, b) => a - b)
  const [p50Ms, p99Ms, maxMs] = [quantile(sorted, 0.5), quantile(sorted, 0.99), sorted.at(-1)!]
  return [{ server, cached, patches: took.length, p50Ms, p99Ms, maxMs }]
}
