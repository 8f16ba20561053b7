/** `portolan routes proxy`: listens for services and leads clients to their endpoints, until a signal ends it. */
import { isIP } from 'node:net'
import { hint } from '../corefile/nearest.ts'
import { type Logger, logger } from '../observe/logger.ts'
import { schedulerNames } from '../routes/choice/index.ts'
import { nodeOf } from '../routes/facts/cluster.ts'
import { familiesOf, renderOptionsOf } from '../routes/facts/question.ts'
import { type Listening, UserspaceProxy } from '../routes/proxy/proxy.ts'
import type { Destination } from '../routes/route.ts'
import { type Setting, settingOf } from '../routes/setting.ts'
import { isRouted, type RouteTable } from '../routes/table.ts'
import type { Family } from '../wire/address.ts'
import { type Arguments, usageError } from './arguments.ts'
import { type FollowedCluster, followCluster } from './routes-live.ts'
import { columns, show } from './routes-output.ts'
import type { Shell } from './shell.ts'
import { untilSignal } from './until-signal.ts'

export async function proxyRoutes(given: Arguments, shell: Shell): Promise<number> {
  const log = logger({ format: 'text', write: line => shell.err(line), now: shell.clock.now })
  const graceMs = 1000 * seconds(given, 'grace', 10)
  return untilSignal(shell, log, 'connections may end, then it does', async signal => {
    const proxy = await started(given, shell, log, signal)
    if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve))
    await proxy.close(graceMs)
  })
}

async function started(given: Arguments, shell: Shell, log: Logger, signal: AbortSignal): Promise<UserspaceProxy> {
  const options = {
    families: familiesOf(given),
    listen: listenOf(given),
    scheduler: given.oneOf('scheduler', schedulerNames, 'rr'),
    idleMs: 1000 * seconds(given, 'udp-timeout', 30),
  }
  const chosen = (given.text('service') ?? '').split(',').flatMap(text => (text.trim() === '' ? [] : selectorOf(text)))
  const cluster = await followCluster(given, shell, log, signal)
  for (const selector of chosen) mustBe(selector, cluster.table)
  const { clock, random } = shell
  const proxy = new UserspaceProxy({
    ...options,
    routes: cluster.table,
    settingOf: settings(given, cluster),
    wants: destination => chosen.length === 0 || chosen.some(selector => selects(selector, destination)),
    clock,
    random,
    log,
  })
  await proxy.start()
  const rows = proxy.listening
  show(given, shell, rows, () => textOf(rows))
  cluster.onChange(() => void proxy.sync())
  return proxy
}

/** The address to listen at; undefined for the virtual addresses themselves. */
function listenOf(given: Arguments): string | undefined {
  const address = given.text('listen')
  if (address !== undefined && isIP(address) === 0) throw usageError(`-listen is an address, got "${address}"`)
  if (!given.has('virtual')) return address ?? '127.0.0.1'
  if (address !== undefined) throw usageError('-virtual listens at the virtual addresses, -listen at another: give one')
  return undefined
}

/** The setting of each family, made anew only when the node has changed. A node that is deleted stays as it was. */
function settings(given: Arguments, { state }: FollowedCluster): (family: Family) => Setting {
  const name = given.text('node')
  let node = nodeOf(name, state)
  let made = new Map<Family, Setting>()
  return family => {
    const current = (name === undefined ? undefined : state.get('Node', name)) ?? node
    if (current !== node) made = new Map()
    node = current
    const setting = made.get(family) ?? settingOf({ family, ...renderOptionsOf(given, node) })
    made.set(family, setting)
    return setting
  }
}

interface Selector {
  readonly service: string
  /** Name or number; undefined for all ports. */
  readonly port: string | undefined
}

function selectorOf(text: string): Selector {
  const { service, port } = /^(?<service>[^/:]+\/[^/:]+)(?::(?<port>[^:]+))?$/.exec(text.trim())?.groups ?? {}
  if (service === undefined) throw usageError(`-service is NAMESPACE/NAME or NAMESPACE/NAME:PORT, got "${text}"`)
  return { service, port }
}

function selects({ service, port }: Selector, destination: Destination): boolean {
  if (destination.service !== service) return false
  return port === undefined || destination.portName === port || `${destination.addresses[0]!.port}` === port
}

/** Throws where the cluster has nothing that is selected. */
function mustBe(selector: Selector, table: RouteTable): void {
  const { service, port } = selector
  const found = table.service(service)
  if (found === undefined) {
    const known = [...table.destinations()].map(destination => destination.service)
    throw usageError(`there is no service "${service}"${hint(service, known)}`)
  }
  if (!isRouted(found)) throw usageError(`${service} has no routes: ${found.text}`)
  if (found.some(destination => selects(selector, destination))) return
  const ports = found.map(({ portName, addresses }) => (portName === '' ? `${addresses[0]!.port}` : portName))
  throw usageError(`${service} has no port "${port}"; it has ${[...new Set(ports)].join(', ')}`)
}

function seconds(given: Arguments, option: string, otherwise: number): number {
  const text = given.text(option) ?? `${otherwise}`
  if (/^\d{1,5}(\.\d{1,3})?$/.test(text) && Number(text) > 0) return Number(text)
  throw usageError(`-${option} is a number of seconds above 0, got "${text}"`)
}

function textOf(rows: readonly Listening[]): string {
  if (rows.length === 0) return 'no services yet\n'
  const lines = rows.map(({ service, virtual, local, problem }) => [service, virtual, local ?? `not here: ${problem}`])
  return columns([['SERVICE', 'VIRTUAL ADDRESS', 'LISTENS AT'], ...lines])
}
