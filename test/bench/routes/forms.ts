/** One form of rules: each program loads all of them from nothing, and then follows changes one at a time. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ControlPlane } from '../../e2e/control-plane.ts'
import { emptyRules } from '../../e2e/routes/namespace.ts'
import type { Memory } from '../process.ts'
import { quantile } from '../statistics.ts'
import type { BenchCluster, ChangeKind } from './cluster.ts'
import { type Form, type Subject, startPeer, startPortolan } from './subjects.ts'

/** Both programs collect changes for so long after a sync, which is no part of what one change takes. */
const restMs = 150
const kinds: readonly ChangeKind[] = ['replaced', 'added', 'removed']

export interface FormOptions {
  readonly plane: ControlPlane
  readonly cluster: BenchCluster
  readonly changes: { readonly own: number; readonly peer: number }
  readonly sources: boolean
  /** Path of the program; undefined: it is left out. */
  readonly kubeProxy: string | undefined
  say(line: string): void
}

/** From the API server's reply until the kernel has it. */
export interface Followed {
  readonly kind: ChangeKind
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface Figures {
  readonly name: Subject['name']
  readonly readyMs: number
  readonly loadMs: number
  readonly followed: readonly Followed[]
  /** Once all is loaded, and after all changes; with its children. */
  readonly memory: { readonly loaded: Memory; readonly changed: Memory }
}

export async function measureForm(
  form: Form,
  options: FormOptions,
): Promise<{ readonly subjects: readonly Figures[] }> {
  const { plane, sources, changes, kubeProxy, say } = options
  const starts: (readonly [changes: number, start: () => Promise<Subject>])[] = [
    [changes.own, () => startPortolan(form, plane, sources)],
    ...(kubeProxy === undefined ? [] : [[changes.peer, () => startPeer(form, plane, kubeProxy)] as const]),
  ]
  const subjects: Figures[] = []
  for (const [count, start] of starts) {
    emptyRules()
    await using subject = await start()
    const { name, readyMs, loadMs } = subject
    say(
      `${form}: ${name} has loaded everything ${(readyMs / 1000).toFixed(1)} s after its start (${loadMs.toFixed(0)} ms of loading)`,
    )
    const loaded = subject.memory()
    const followed: Followed[] = []
    for (const kind of kinds) {
      const some = kind === 'replaced' ? count : Math.ceil(count / 2)
      const took = await follow(subject, options.cluster, kind, some)
      followed.push(took)
      say(`${form}: ${name} ${kind}: p50 ${took.p50Ms.toFixed(1)} ms, p99 ${took.p99Ms.toFixed(1)} ms of ${took.count}`)
    }
    subjects.push({ name, readyMs, loadMs, followed, memory: { loaded, changed: subject.memory() } })
  }
  emptyRules()
  return { subjects }
}

async function follow(subject: Subject, cluster: BenchCluster, kind: ChangeKind, count: number): Promise<Followed> {
  const took: number[] = []
  for (let i = 0; i < count; i++) {
    await sleep(restMs)
    const seen = await subject.expect()
    const change = await cluster.change(kind)
    const repliedAt = performance.now()
    took.push(Math.max(0, (await seen(change)) - repliedAt))
  }
  const sorted = took.toSorted((a, b) => a - b)
  return { kind, count, p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99), maxMs: sorted.at(-1)! }
}
