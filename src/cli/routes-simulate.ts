/** `portolan routes simulate`: sends clients that do not exist to an address, and shows where they end up. */
import { scheduler, schedulerNames } from '../routes/choice/index.ts'
import { addressText } from '../routes/facts/asked.ts'
import type { LookupFacts } from '../routes/facts/lookup.ts'
import { type Backend, nameOf } from '../routes/route.ts'
import { familyOf } from '../wire/address.ts'
import { nthAddress, parseRange, type Range } from '../wire/range.ts'
import { type Arguments, usageError } from './arguments.ts'
import { Exit } from './command.ts'
import { lookUp } from './routes-lookup.ts'
import { columns, show } from './routes-output.ts'
import type { Shell } from './shell.ts'

export async function simulateRoute(given: Arguments, shell: Shell): Promise<number> {
  const clients = clientsOf(given.text('clients') ?? '1000')
  const name = given.oneOf('scheduler', schedulerNames, 'random')
  const found = await lookUp(given, shell)
  const { ip, port, protocol, action, why, affinitySeconds } = found
  const backends = found.endpoints.filter(({ probability }) => probability > 0)
  const { clock, random } = shell
  const choice = scheduler({ name, virtualIP: ip, affinitySeconds, clock, random })
  choice.update(backends)
  const counts = new Map<Backend, number>()
  const range = clientRange(given, found)
  for (let i = 0; i < clients && backends.length > 0; i++) {
    const chosen = choice.choose(nthAddress(range, i))!
    // Nobody hangs up, so that there is something to count for the schedulers that do.
    choice.opened(chosen)
    counts.set(chosen, (counts.get(chosen) ?? 0) + 1)
  }
  const endpoints = backends.map(backend => {
    const { address, targetName, nodeName } = backend
    return { address, targetName, nodeName, clients: counts.get(backend) ?? 0 }
  })
  const facts = { ip, port, protocol, scheduler: name, affinitySeconds, clients, action, why, endpoints }
  show(given, shell, facts, () => textOf(found, facts))
  return Exit.done
}

/** Where clients come from that nobody says anything of: as many addresses as there may be clients. */
const anywhere = { IPv4: parseRange('10.0.0.0/8')!, IPv6: parseRange('2001:db8::/32')! } as const

/** The clients' addresses. With `-from` an address or a pod they are all the same client. */
function clientRange(given: Arguments, { ip, source }: LookupFacts): Range {
  const family = familyOf(ip)
  const said = parseRange(given.text('from') ?? '')
  const range = said ?? anywhere[family]
  const one = said === undefined ? source : undefined
  if (one === undefined && !given.has('same-client')) return range
  return parseRange(`${one ?? nthAddress(range, 0)}/${family === 'IPv4' ? 32 : 128}`)!
}

interface Facts {
  readonly scheduler: string
  readonly affinitySeconds: number
  readonly clients: number
  readonly action: string
  readonly why: string
  readonly endpoints: readonly {
    readonly address: string
    readonly targetName: string
    readonly nodeName: string
    readonly clients: number
  }[]
}

function textOf(
  { service, portName, ...asked }: LookupFacts,
  { scheduler, affinitySeconds, clients, action, why, endpoints }: Facts,
): string {
  const title = `${addressText(asked)} (${nameOf({ service, portName })})`
  if (action !== 'forward') return `✗ ${title}: all ${clients} clients meet ${action}: ${why}\n`
  const most = Math.max(...endpoints.map(({ clients }) => clients))
  const rows = endpoints.map(({ address, targetName, nodeName, clients: count }) => {
    const bar = '█'.repeat(Math.round((20 * count) / most))
    return [`  ${address}`, targetName, nodeName, `${count}`, `${((100 * count) / clients).toFixed(1)} %`, bar]
  })
  const how = affinitySeconds > 0 ? `${scheduler}, affinity ${affinitySeconds} s` : scheduler
  const share = (100 / endpoints.length).toFixed(1)
  return `${title}: ${clients} connections over ${endpoints.length} endpoints (${how}), an equal share is ${share} %\n${columns(rows)}`
}

const most = 10_000_000

function clientsOf(text: string): number {
  if (/^\d{1,8}$/.test(text) && Number(text) >= 1 && Number(text) <= most) return Number(text)
  throw usageError(`-clients is a number from 1 to ${most}, got "${text}"`)
}
