/**
 * A cluster that changes all the time, for as long as is wanted: at the end the server says the same as one that has just started, and
 * it holds no more memory than before.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { memory } from '../../bench/process.ts'
import { median } from '../../bench/statistics.ts'
import { untilAnswered } from '../answer.ts'
import { Asker } from '../asker.ts'
import type { Cluster } from '../cluster.ts'
import { service } from '../objects.ts'
import type { Tally } from '../tally.ts'
import { churn, namespaces, perSecond, prepareChurn } from './changes.ts'
import { differing, questionsOf } from './compare.ts'

/** For the ends of namespaces that are under way. */
const settleMs = 20_000
const followMs = 5000
const samples = 30
/** A machine that is busy may lag behind a little. */
const leastTaken = 0.9
/** How much the memory of the last fifth may be above that of the second, in the long and in the short run. */
const growth = { long: 1.1, short: 1.3 }
const longMinutes = 10
const shown = 5

export interface ChurnOptions {
  readonly minutes: number
  readonly seed: number
  say(line: string): void
}

export async function checkChurn(cluster: Cluster, tally: Tally, { minutes, seed, say }: ChurnOptions): Promise<void> {
  const { client } = cluster.plane
  const settings = { options: ['pods verified'], rotates: false }
  await prepareChurn(client)
  await using old = await cluster.startPod(settings)
  await old.untilReady()
  say(`churn of ${minutes} min, seed ${seed}`)
  const stop = new AbortController()
  const changing = churn(client, seed, stop.signal)
  const resident = await Promise.race([sampled(old.pid, minutes, say), changing.then(() => [])])
  stop.abort()
  const { taken, refused } = await changing
  const rate = taken / minutes / 60
  tally.check(
    `the API server took ${taken} changes, ${rate.toFixed(1)} a second, and refused ${refused} others`,
    rate >= perSecond * leastTaken ? undefined : `it has to take ${perSecond} a second`,
  )
  const most = growth[minutes >= longMinutes ? 'long' : 'short']
  const [early, late] = [median(fifth(resident, 1)), median(fifth(resident, 4))]
  tally.check(
    `memory is flat: ${early.toFixed(1)} MiB in the second fifth, ${late.toFixed(1)} in the last`,
    late <= early * most ? undefined : `more than ${most} of it`,
  )

  await sleep(settleMs)
  const last = service(`${namespaces[0]}/last`, '10.110.0.1', ['http:80'])
  await client.create(last)
  using asker = await Asker.open(old.port)
  const behind = await untilAnswered(asker, [`last.${namespaces[0]}.svc.cluster.local`, 'A', '10.110.0.1'], followMs)
  tally.check('it has followed to the end', behind)
  await using fresh = await cluster.startPod(settings)
  await fresh.untilReady()
  const questions = await questionsOf(client)
  const differ = await differing([old.port, fresh.port], questions)
  tally.check(
    `${questions.length} replies are those of a server that has just started`,
    differ.length === 0 ? undefined : `${differ.length} are not: ${differ.slice(0, shown).join('; ')}`,
  )
}

/** What the process holds, in MiB, at even distances of time. */
async function sampled(pid: number, minutes: number, say: (line: string) => void): Promise<number[]> {
  const resident: number[] = []
  for (let n = 0; n < samples; n++) {
    await sleep((minutes * 60_000) / samples)
    resident.push(memory(pid).residentMb)
  }
  say(`resident, MiB: ${resident.map(megabytes => megabytes.toFixed(0)).join(' ')}`)
  return resident
}

function fifth(values: readonly number[], n: number): number[] {
  const length = values.length / 5
  return values.slice(n * length, (n + 1) * length)
}
