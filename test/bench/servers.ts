/** The servers that are measured: each with the same Corefile on a port of its own, ready when it answers from the whole cluster. */
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Asker } from '../oracle/asker.ts'
import { freePort, startBackground } from '../oracle/background.ts'
import { decode, queryBytes, types } from '../oracle/message.ts'
import type { Probe } from './data.ts'

export const serverNames = ['minimal', 'portolan', 'portolan-dist', 'coredns'] as const
export type ServerName = (typeof serverNames)[number]

/** The built program. */
export const built = fileURLToPath(new URL('../../dist/portolan.js', import.meta.url))
const source = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const minimal = fileURLToPath(new URL('minimal.ts', import.meta.url))

const readyMs = 120_000
const probeMs = 30

export interface Site {
  /** Path of the program; undefined where there is none. */
  readonly coredns: string | undefined
  /** For logs and Corefiles. */
  readonly folder: string
  /** The option of the `kubernetes` block that names the cluster. */
  readonly cluster: string
  /** Port on 127.0.0.1 of what names outside the cluster are forwarded to. */
  readonly upstream: number
  readonly probes: readonly Probe[]
  /** Where portolan's CPU profile is written when it ends, if anywhere. */
  readonly profiles: string | undefined
  readonly signal: AbortSignal
}

export interface RunningServer extends AsyncDisposable {
  readonly name: ServerName
  readonly port: number
  readonly pid: number
  /** From the start of the process to the first right answers, in seconds. */
  readonly readySeconds: number
}

/** Which of the servers there are on this machine. */
export function availableServers(coredns: string | undefined): ServerName[] {
  return serverNames.filter(name => {
    if (name === 'coredns') return coredns !== undefined
    return name !== 'portolan-dist' || existsSync(built)
  })
}

/** Starts a server; resolves when its answers to the probes are right. Disposing ends it. */
export async function startServer(name: ServerName, site: Site): Promise<RunningServer> {
  await using stack = new AsyncDisposableStack()
  const port = await freePort()
  const [conf, pidfile, log] = ['Corefile', 'pid', 'log'].map(suffix => join(site.folder, `${name}.${suffix}`))
  await writeFile(conf!, await corefile(port, site))
  const [command, args] = commandOf(name, site)
  const serve = name === 'minimal' ? [String(port), pidfile!] : ['-conf', conf!, '-pidfile', pidfile!]
  const asker = stack.use(await Asker.open(port))
  const start = performance.now()
  const background = stack.use(startBackground(command, [...args, ...serve], log!))
  await background.until(async () => {
    site.signal.throwIfAborted()
    for (const probe of site.probes) if (!(await isAnswered(asker, probe, name === 'minimal'))) return false
    return true
  }, readyMs)
  const readySeconds = (performance.now() - start) / 1000
  const pid = Number(await readFile(pidfile!, 'utf8'))
  const running = stack.move()
  return { name, port, pid, readySeconds, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

function commandOf(name: ServerName, { coredns, profiles }: Site): [command: string, args: readonly string[]] {
  if (name === 'coredns') return [coredns!, []]
  if (name === 'minimal') return [process.execPath, [minimal]]
  const profile =
    profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=${name}.cpuprofile`]
  return [process.execPath, [...profile, name === 'portolan' ? source : built]]
}

/** kubeadm's, on loopback alone, and without a lameduck, which would put off the end. */
async function corefile(port: number, { cluster, upstream }: Site): Promise<string> {
  return `.:${port} {
    bind 127.0.0.1
    errors
    health 127.0.0.1:${await freePort()}
    ready 127.0.0.1:${await freePort()}
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        ${cluster}
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus 127.0.0.1:${await freePort()}
    forward . 127.0.0.1:${upstream} {
        max_concurrent 1000
    }
    cache 30 {
        disable success cluster.local
        disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
`
}

/** Whether the answer is right; `any` answer is from one that knows no names. */
async function isAnswered(asker: Asker, { name, addresses }: Probe, any: boolean): Promise<boolean> {
  const packet = queryBytes(name, types.A, { edns: { size: 65_535 } })
  const reply = await asker.ask(packet, { transport: 'udp', waitMs: probeMs })
  if (any) return typeof reply !== 'string'
  const message = typeof reply === 'string' ? reply : decode(reply)
  if (typeof message === 'string') return false
  const found = message.sections.answer.map(({ data }) => data).sort()
  return found.join() === addresses.toSorted().join()
}
