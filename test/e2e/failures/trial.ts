/**
 * One scenario from beginning to end: a pod of its own behind a relay of its own, changes and questions all the while, the fault, and
 * what was seen of it. What the fault is stands in the scenario.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { chance } from '../../wire/random.ts'
import { freePort } from '../background.ts'
import type { BoundToken, Cluster } from '../cluster.ts'
import type { Pod } from '../pod.ts'
import { Relay } from '../relay.ts'
import { Tunnel } from '../tunnel.ts'
import type { History } from './history.ts'
import { Interrogation, type Mistake } from './interrogation.ts'
import type { Cast, Subject } from './subjects.ts'

const changesPerSecond = 20
const seed = 5
/** Before the fault, when nothing may be wrong. */
const calmMs = 2000
/** So long everything has to be right before the end, and so long after the bound questions are asked; at least one round. */
const steadyMs = 4000
const beyondMs = 5000

/** Where and how all scenarios are run. */
export interface Stage {
  readonly cluster: Cluster
  readonly cast: Cast
  /** The period of the self-check in seconds, for scenarios that depend on it; others have the default, so that it does not help them. */
  readonly selfCheck: number
  /** How many services are deleted and created while the server is away. */
  readonly many: number
  /** Waits for the whole bound, and does not end when all has been right for a while. */
  readonly patient: boolean
  say(line: string): void
}

/** A stage with ways to the API server that are the scenario's own. */
export interface Scene extends Stage {
  /** Sees each request. */
  readonly relay: Relay
  /** Sees TCP connections only. */
  readonly tunnel: Tunnel
}

/** What a scenario has in hand. */
export interface Trial extends Scene {
  readonly pod: Pod & BoundToken
  /** What the scenario's preparation has brought. */
  readonly more: readonly Subject[]
}

export interface Scenario {
  readonly name: string
  /** From the end of the fault, in seconds, until everything is right again. */
  readonly bound: (stage: Stage) => number
  /** How the pod reaches the API server; through the relay unless given. */
  readonly way?: 'relay' | 'tunnel' | 'straight'
  /** More lines of the `kubernetes` block. */
  readonly options?: (scene: Scene) => readonly string[]
  /** Before the pod starts; what is returned is asked about too. */
  prepare?(scene: Scene): Promise<readonly Subject[]>
  /** Brings the fault about and ends it; resolves with the `performance.now()` of its end. */
  run(trial: Trial): Promise<number>
  /** Whether the fault was what it was to be, which only the end shows; returns why not. */
  missed?(trial: Trial): Promise<string | undefined>
  /** Puts the cluster back. */
  restore?(scene: Scene): Promise<void>
}

export interface Outcome {
  readonly name: string
  readonly boundSeconds: number
  /** From the end of the fault to the last answer that was not right; 0 where all were right by then. */
  readonly recoverySeconds: number
  readonly asked: number
  readonly staleBefore: number
  readonly wrongAfter: number
  /** Answers that have never been right, and questions without a reply, at any time. */
  readonly false: number
  /** What is not as it has to be. */
  readonly problems: readonly string[]
}

export async function runScenario(scenario: Scenario, stage: Stage): Promise<Outcome> {
  const { cluster, cast } = stage
  await using stack = new AsyncDisposableStack()
  const relay = stack.use(await relayTo(cluster))
  const tunnel = stack.use(await Tunnel.start(await freePort(), cluster.plane.port))
  const scene: Scene = { ...stage, relay, tunnel }
  if (scenario.restore !== undefined) stack.defer(() => scenario.restore!(scene))
  const more = (await scenario.prepare?.(scene)) ?? []
  const ports = { relay: relay.port, tunnel: tunnel.port, straight: cluster.plane.port }
  const pod = stack.use(
    await cluster.startPod({
      apiPort: ports[scenario.way ?? 'relay'],
      options: ['pods verified', ...(scenario.options?.(scene) ?? [])],
    }),
  )
  await pod.untilReady()
  const changes = stack.use(startChanges(cast.changing))
  const subjects = [...cast.changing, ...cast.victims, ...cast.constant, ...more]
  const interrogation = stack.use(await Interrogation.start(pod.port, historiesOf(subjects)))
  await sleep(calmMs)
  const faultAt = performance.now()
  const trial: Trial = { ...scene, pod, more }
  const endedAt = await Promise.race([scenario.run(trial), changes.failed])
  const boundMs = scenario.bound(stage) * 1000
  await Promise.race([untilSteady(interrogation, endedAt, boundMs, stage.patient), changes.failed])
  const missed = await scenario.missed?.(trial)
  const { asked, mistakes } = interrogation
  return judged({ name: scenario.name, boundMs, faultAt, endedAt, asked, mistakes, missed })
}

async function relayTo({ plane }: Cluster): Promise<Relay> {
  const [cert, key, ca] = await Promise.all(
    [plane.serving.cert, plane.serving.key, plane.authority.cert].map(file => readFile(file, 'utf8')),
  )
  return Relay.start({ port: await freePort(), target: plane.port, ca: ca!, tls: { cert: cert!, key: key! } })
}

function historiesOf(subjects: readonly Subject[]): History[] {
  return subjects.flatMap(({ histories }) => histories)
}

interface Changes extends AsyncDisposable {
  /** Rejects when the API server refuses a change. */
  readonly failed: Promise<never>
}

/** Changes one subject after another, until disposed of; subjects whose last change is under way are left out. */
function startChanges(subjects: readonly Subject[]): Changes {
  const { pick } = chance(seed)
  const { promise: failed, reject } = Promise.withResolvers<never>()
  // Who waits for it is told; at the end nobody does.
  failed.catch(() => undefined)
  const under = new Set<Promise<void>>()
  const timer = setInterval(() => {
    const idle = subjects.filter(({ busy }) => !busy)
    if (idle.length === 0) return
    const changing = pick(idle)
      .change()
      .catch(reject)
      .finally(() => under.delete(changing))
    under.add(changing)
  }, 1000 / changesPerSecond)
  return {
    failed,
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await Promise.all(under)
    },
  }
}

async function untilSteady(
  { mistakes, roundMs }: Interrogation,
  endedAt: number,
  boundMs: number,
  patient: boolean,
): Promise<void> {
  const latest = endedAt + boundMs + Math.max(beyondMs, roundMs)
  for (let now = performance.now(); now < latest; now = performance.now()) {
    const rightSince = Math.max(endedAt, mistakes.at(-1)?.at ?? 0)
    if (!patient && now - rightSince >= Math.max(steadyMs, roundMs)) return
    await sleep(100)
  }
}

interface Seen {
  readonly name: string
  readonly boundMs: number
  readonly faultAt: number
  readonly endedAt: number
  readonly asked: number
  readonly mistakes: readonly Mistake[]
  readonly missed: string | undefined
}

function judged({ name, boundMs, faultAt, endedAt, asked, mistakes, missed }: Seen): Outcome {
  const never = mistakes.filter(({ verdict }) => verdict === 'false')
  const early = mistakes.filter(({ at }) => at < faultAt)
  const late = mistakes.filter(({ at }) => at > endedAt + boundMs)
  const problems = [
    ...(missed === undefined ? [] : [missed]),
    ...(never.length > 0 ? [`never right: ${Interrogation.told(never)}`] : []),
    ...(early.length > 0 ? [`wrong before the fault: ${Interrogation.told(early)}`] : []),
    ...(late.length > 0 ? [`wrong after the bound: ${Interrogation.told(late)}`] : []),
  ]
  return {
    name,
    boundSeconds: boundMs / 1000,
    recoverySeconds: Math.max(0, (mistakes.at(-1)?.at ?? 0) - endedAt) / 1000,
    asked,
    staleBefore: mistakes.length - late.length,
    wrongAfter: late.length,
    false: never.length,
    problems,
  }
}
