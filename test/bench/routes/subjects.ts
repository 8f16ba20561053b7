/** The two programs that are measured, each as it runs in a cluster: started, ready, following changes. */
import { open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PortolanError } from '../../../src/errors.ts'
import { type Background, startBackground } from '../../e2e/background.ts'
import { built, sources, stateOfBuilt } from '../../e2e/program.ts'
import { gauges, startKubeProxy } from '../../e2e/routes/kube-proxy.ts'
import { type Memory, memory } from '../process.ts'
import { type Change, node } from './cluster.ts'
import { KernelWatch } from './kernel-watch.ts'

export type Form = 'iptables' | 'nftables'

export interface Subject extends AsyncDisposable {
  readonly name: 'portolan' | 'kube-proxy'
  /** From the start of the program until the kernel has the rules of both families. */
  readonly readyMs: number
  /** Of that: how long the rules of the slower family took to be made and loaded, by what the program says of itself. */
  readonly loadMs: number
  /** To be called before a change is made; what it returns resolves to when the kernel had it (`performance.now`). */
  expect(): Promise<(change: Change) => Promise<number>>
  memory(): Memory
}

export interface Site {
  readonly kubeconfig: string
  /** For logs. */
  readonly folder: string
}

const readyMs = 600_000
const followMs = 120_000
const pollMs = 1

/** `portolan routes apply FORM -watch`. */
export async function startPortolan(form: Form, { kubeconfig, folder }: Site, fromSources: boolean): Promise<Subject> {
  const program = !fromSources && stateOfBuilt() === 'fresh' ? built : sources
  const log = join(folder, `portolan-${form}.log`)
  await using stack = new AsyncDisposableStack()
  const began = performance.now()
  const flags = ['-kubeconfig', kubeconfig, '-node', node.name, '-cluster-cidr', node.podRanges.join()]
  const args = [program, 'routes', 'apply', form, '-watch', ...flags]
  const background = stack.use(startBackground(process.execPath, args, log))
  const loads = async () =>
    Array.from((await readFile(log, 'utf8')).matchAll(/all loaded: .* in (\d+) ms/g), ([, ms]) => Number(ms))
  // A line of each family.
  await background.until(async () => (await loads()).length >= 2, readyMs)
  const readyAfter = performance.now() - began
  // Of iptables the kernel tells nobody when it has changed, so what loads it is believed.
  const watch = form === 'nftables' ? stack.use(new KernelWatch()) : undefined
  const running = stack.move()
  return {
    name: 'portolan',
    readyMs: readyAfter,
    loadMs: Math.max(...(await loads())),
    expect: async () => watch?.expect(followMs) ?? logged(log),
    memory: () => memory(pidOf(background)),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** The log from here on, until it names the service. */
async function logged(log: string): Promise<(change: Change) => Promise<number>> {
  const { size } = await stat(log)
  return async ({ service }) => {
    const [name, namespace] = service.split('.')
    await using file = await open(log)
    await polled(service, async () => (await textFrom(file, size)).includes(`(${namespace}/${name})`))
    return performance.now()
  }
}

async function textFrom(file: Awaited<ReturnType<typeof open>>, position: number): Promise<string> {
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(65_536), position })
  return buffer.toString('utf8', 0, bytesRead)
}

/** The real kube-proxy. When the kernel has something it says itself, once the tool that loads it has come back. */
export async function startPeer(form: Form, { kubeconfig, folder }: Site, path: string): Promise<Subject> {
  const log = join(folder, `kube-proxy-${form}.log`)
  const began = performance.now()
  await using stack = new AsyncDisposableStack()
  const variant = { name: '', clusterCIDRs: node.podRanges }
  const proxy = stack.use(startKubeProxy({ path, kubeconfig, mode: form, variant, node: node.name, log }))
  await proxy.until(async () => (await syncedAt()).length === 2, readyMs)
  const readyAfter = performance.now() - began
  // There may have been more than one, each of all rules.
  const full = 'sync_full_proxy_rules_duration_seconds'
  const [sums, counts] = [await gauges(`${full}_sum`), await gauges(`${full}_count`)]
  const loads = sums.map((sum, i) => sum / counts[i]!)
  const running = stack.move()
  return {
    name: 'kube-proxy',
    readyMs: readyAfter,
    loadMs: Math.max(...loads) * 1000,
    async expect() {
      const before = Math.max(...(await syncedAt()))
      return async ({ service }) => {
        let latest = before
        await polled(service, async () => {
          latest = Math.max(...(await syncedAt()))
          return latest > before
        })
        return latest * 1000 - performance.timeOrigin
      }
    },
    memory: () => memory(pidOf(proxy)),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** When each family was programmed last, in seconds since the epoch; none of those that never were. */
async function syncedAt(): Promise<number[]> {
  return (await gauges('sync_proxy_rules_last_timestamp_seconds')).filter(at => at > 0)
}

async function polled(service: string, seen: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + followMs
  while (!(await seen())) {
    if (performance.now() > deadline) {
      const what = `the kernel has not had a change of ${service} after ${followMs / 1000} s`
      throw new PortolanError('PORTOLAN_BENCH_LATE', what)
    }
    await sleep(pollMs)
  }
}

function pidOf({ pid, log }: Background): number {
  if (pid === undefined) throw new PortolanError('PORTOLAN_BENCH_START', `could not be started, see ${log}`)
  return pid
}
