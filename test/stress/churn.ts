/**
 * `npm run stress:churn [-- --minutes N]`: a server follows a real API server in which 20 objects a second change. At the end it
 * answers every name that there ever was exactly as a server that was started afresh, and its memory has not grown.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { memory } from '../bench/process.ts'
import { findPrograms } from '../bench/programs.ts'
import { Asker } from '../e2e/asker.ts'
import { freePort, startBackground } from '../e2e/background.ts'
import { startControlPlane, untilAccounts } from '../e2e/control-plane.ts'
import { decode, queryBytes, type TypeName, types } from '../e2e/message.ts'
import { findPeers } from '../e2e/peers.ts'
import { ChangingCluster, everything } from './churn-cluster.ts'

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    rate: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
  },
})
const [minutes, rate] = [Number(flags.minutes), Number(flags.rate)]
const accountsMs = 30_000
const readyMs = 20_000
/** The last changes have come by then, those of controllers too. */
const settleMs = 5_000
const sampleMs = 10_000
/** Of the samples, how many come before memory is where it stays. */
const warmUp = 0.25
/** How much more memory there may be at the end, in MiB: two collections do not leave the same. */
const leewayMb = 16
const zone = 'cluster.local'

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}
const peers = await findPeers(['etcd', 'apiserver', 'controllerManager'], say)
if (typeof peers === 'string') {
  say(`nothing is changed: ${peers}`)
  say('0 passed, 0 failed, 1 skipped')
  process.exit(0)
}
await using stack = new AsyncDisposableStack()
const folder = await mkdtemp(join(tmpdir(), 'portolan-churn-'))
stack.defer(() => rm(folder, { recursive: true, force: true }))
const plane = stack.use(await startControlPlane(peers, { controllerManager: peers.controllerManager }))
const cluster = new ChangingCluster(plane.client, Number(flags.seed))
await cluster.fill()
for (const name of everything.namespaces) await untilAccounts(plane.client, name, accountsMs)

const follower = await start('follower')
const samples: number[] = []
const counts = new Map<string, number>()
const end = performance.now() + minutes * 60_000
for (let n = 0, began = performance.now(); performance.now() < end; n++) {
  const what = await cluster.change()
  counts.set(what, (counts.get(what) ?? 0) + 1)
  if (performance.now() - began > samples.length * sampleMs) samples.push(memory(follower.pid).residentMb)
  await sleep(Math.max(0, began + (n * 1000) / rate - performance.now()))
}
await sleep(settleMs)
for (const [what, count] of counts) say(`${String(count).padStart(7)} ${what}`)
const fresh = await start('fresh')
const [asked, different] = await compare(follower.port, fresh.port)
say(`${asked} questions, ${different.length} answered differently by a fresh server`)
for (const line of different.slice(0, 10)) say(`  ${line}`)
const steady = samples.slice(Math.floor(samples.length * warmUp))
const third = Math.max(1, Math.floor(steady.length / 3))
const [early, late] = [median(steady.slice(0, third)), median(steady.slice(-third))]
say(`memory: ${samples.map(mb => mb.toFixed(0)).join(' ')} MiB`)
say(`from ${early.toFixed(1)} to ${late.toFixed(1)} MiB`)
const failures = [asked === 0 || different.length > 0, late > early + leewayMb].filter(Boolean).length
say(`${2 - failures} passed, ${failures} failed`)
process.exitCode = failures === 0 ? 0 : 1

interface Running {
  readonly port: number
  readonly pid: number
}

async function start(name: string): Promise<Running> {
  const [port, ready, metrics] = [await freePort(), await freePort(), await freePort()]
  const corefile = join(folder, `${name}.Corefile`)
  await writeFile(
    corefile,
    `.:${port} {
    bind 127.0.0.1
    ready 127.0.0.1:${ready}
    prometheus 127.0.0.1:${metrics}
    kubernetes ${zone} in-addr.arpa ip6.arpa {
        kubeconfig ${plane.kubeconfig}
        pods verified
    }
}
`,
  )
  const { programs } = findPrograms({
    coredns: undefined,
    sources: false,
    profiles: undefined,
    folder,
    zones: () => [],
  })
  const portolan = programs.find(program => program.name === 'portolan')!
  const { program, args } = await portolan.command({ port, folder, corefile })
  const background = stack.use(startBackground(program, args, join(folder, `${name}.log`)))
  const isReady = () =>
    fetch(`http://127.0.0.1:${ready}/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  await background.until(isReady, readyMs)
  return { port, pid: background.pid! }
}

/** Asks both for everything; returns how many questions there were, and those that had different answers. */
async function compare(one: number, other: number): Promise<[number, string[]]> {
  using a = await Asker.open(one)
  using b = await Asker.open(other)
  const questions = await allQuestions()
  const different: string[] = []
  let found = 0
  for (const [name, type] of questions) {
    const [first, second] = [await answer(a, name, type), await answer(b, name, type)]
    if (first !== second) different.push(`${name} ${type}: ${first} and ${second}`)
    if (first.includes('"rcode":0')) found++
  }
  say(`${found} of the names exist`)
  return [questions.length, different]
}

async function allQuestions(): Promise<[string, TypeName][]> {
  const { namespaces, services, hostnames, addresses } = everything
  const { text } = await plane.client.send('GET', '/api/v1/services')
  const items: { spec: { clusterIPs?: string[] } }[] = JSON.parse(text).items
  const clusterIPs = items.flatMap(({ spec }) => spec.clusterIPs ?? []).filter(address => /^[\d.]+$/.test(address))
  const dashed = addresses.map(address => address.replaceAll('.', '-'))
  const names = namespaces.flatMap(namespace => [
    namespace,
    `${namespace}.svc`,
    ...services.flatMap(service => {
      const own = `${service}.${namespace}.svc`
      const below = ['_http._tcp', '_dns._udp', ...hostnames, ...dashed.filter((_, n) => n % 37 === 0)]
      return [own, ...below.map(label => `${label}.${own}`)]
    }),
    ...dashed.map(label => `${label}.${namespace}.pod`),
  ])
  const asked: readonly TypeName[] = ['A', 'AAAA', 'SRV']
  return [
    ...names.flatMap(name => asked.map(type => [`${name}.${zone}`, type] satisfies [string, TypeName])),
    ...[...addresses, ...clusterIPs].map(
      address => [`${address.split('.').reverse().join('.')}.in-addr.arpa`, 'PTR'] satisfies [string, TypeName],
    ),
  ]
}

/** All octets of the reply but its id, and the serial number of the zone, which is the time of its last change. */
async function answer(asker: Asker, name: string, type: TypeName): Promise<string> {
  const packet = queryBytes(name, types[type], { edns: { size: 65_535 } })
  const reply = await asker.ask(packet, { transport: 'udp', waitMs: 2_000, tries: 3 })
  if (typeof reply === 'string') return reply
  const message = decode(reply)
  if (typeof message === 'string') return message
  return JSON.stringify({ ...message, id: 0 }).replace(/(hostmaster\.\S+) \d+ /g, '$1 ')
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
