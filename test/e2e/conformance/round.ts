/** One variant: both servers up, all questions asked of both, every difference judged. */
import type { Asker, Reply } from '../asker.ts'
import { flagBits, type Message } from '../message.ts'
import { bothTruncated, compare, type Difference, readReply } from './compare.ts'
import { allowedDifferences } from './differences.ts'
import { type Prepared, prepare } from './modes.ts'
import { oddPackets } from './packets.ts'
import { hostNames, questionsFor } from './questions.ts'
import { type Program, type Site, startServer } from './servers.ts'
import { upstreamNames } from './upstream.ts'
import type { Variant } from './variants.ts'

const inFlight = 32
// A server may wait long for its upstream; from the cluster it answers at once or never.
const upstreamMs = 6000
const clusterMs = 1000

export interface Outcome {
  readonly asked: number
  readonly same: number
  /** How often each row of the table of differences was met, by id. */
  readonly allowed: ReadonlyMap<string, number>
  readonly differ: readonly { readonly question: Prepared; readonly differences: readonly Difference[] }[]
  /** How often A and B were asked again because a reply did not come in time. */
  readonly repeats: readonly [a: number, b: number]
  readonly seconds: number
}

/** Compares CoreDNS with `other` in one variant; `sample` n asks every nth question only. */
export async function runVariant(variant: Variant, other: Program, site: Site, sample = 1): Promise<Outcome> {
  await using a = await startServer('coredns', 'a', variant, site)
  await using b = await startServer(other, 'b', variant, site)
  const start = performance.now()
  const questions = allQuestions(variant).filter((_, n) => n % sample === 0)
  const allowed = new Map<string, number>()
  const differ: { question: Prepared; differences: Difference[] }[] = []
  // One worker asks a name in all its ways, in order, so that the caches of both servers see the same history.
  const histories = Map.groupBy(questions, ({ name, type, title }) =>
    name === '' ? title : `${name} ${type}`,
  ).values()
  const worker = async (): Promise<void> => {
    for (const history of histories) {
      for (const question of history) {
        const findings = await judge(question)
        if (findings.length > 0) differ.push({ question, differences: findings })
      }
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  const permitted = [...allowed.values()].reduce((sum, n) => sum + n, 0)
  return {
    asked: questions.length,
    same: questions.length - permitted - differ.length,
    allowed,
    differ: differ.sort((x, y) => questions.indexOf(x.question) - questions.indexOf(y.question)),
    repeats: [a.asker.repeats, b.asker.repeats],
    seconds: (performance.now() - start) / 1000,
  }

  async function judge(question: Prepared): Promise<Difference[]> {
    const [left, right] = await Promise.all([ask(a.asker, question), ask(b.asker, question)])
    if (typeof left !== 'string' && typeof right !== 'string' && left.subarray(2).equals(right.subarray(2))) return []
    const differences = compare(left, right, {
      limit: question.limit,
      ttlSlack: variant.ttlSlack,
      whole: bothTruncated(left, right) ? await wholeAnswer(a.asker, question) : undefined,
    })
    if (differences.length === 0) return []
    const around = { question, variant, a: readReply(left), b: readReply(right) }
    const rows = differences.map(difference => allowedDifferences.find(row => row.allows({ ...around, difference })))
    const notAllowed = differences.filter((_, n) => rows[n] === undefined)
    if (notAllowed.length === 0) allowed.set(rows[0]!.id, (allowed.get(rows[0]!.id) ?? 0) + 1)
    return notAllowed
  }
}

function allQuestions(variant: Variant): Prepared[] {
  const names = {
    upstream: upstreamNames.flatMap(([name, ...types]) => types.map(type => ({ group: 'upstream', name, type }))),
    hosts: hostNames,
  }
  return [
    ...[...questionsFor(variant.zones), ...variant.extra.flatMap(extra => names[extra])].flatMap(prepare),
    ...oddPackets(),
  ]
}

function ask(asker: Asker, { packet, transport, group, once = false }: Prepared): Promise<Reply> {
  const waitMs = group === 'upstream' ? upstreamMs : clusterMs
  return asker.ask(packet, { transport, waitMs, tries: once ? 1 : 2 })
}

async function wholeAnswer(asker: Asker, { packet }: Prepared): Promise<Message | undefined> {
  const whole = readReply(await asker.ask(packet, { transport: 'tcp', waitMs: upstreamMs }))
  return typeof whole === 'string' || (whole.flags & flagBits.TC) !== 0 ? undefined : whole
}
