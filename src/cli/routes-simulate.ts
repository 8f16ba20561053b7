/** `portolan routes simulate`: sends clients that do not exist to an address, and shows where they end up. */
import type { Random } from '../observe/clock.ts'
import { addressText } from '../routes/facts/asked.ts'
import type { LookupFacts } from '../routes/facts/lookup.ts'
import { nameOf } from '../routes/route.ts'
import { type Arguments, usageError } from './arguments.ts'
import { Exit } from './command.ts'
import { lookUp } from './routes-lookup.ts'
import { columns, show } from './routes-output.ts'
import type { Shell } from './shell.ts'

export async function simulateRoute(given: Arguments, shell: Shell): Promise<number> {
  const clients = clientsOf(given.text('clients') ?? '1000')
  const found = await lookUp(given, shell)
  const { ip, port, protocol, action, why } = found
  const used = found.endpoints.filter(({ probability }) => probability > 0)
  const counts = spread(used.length, clients, shell.random)
  const endpoints = used.map(({ address, targetName, nodeName }, i) => ({
    address,
    targetName,
    nodeName,
    clients: counts[i]!,
  }))
  show(given, shell, { ip, port, protocol, clients, action, why, endpoints }, () => {
    if (action !== 'forward') return `✗ ${titleOf(found)}: all ${clients} clients meet ${action}: ${why}\n`
    const most = Math.max(...counts)
    const rows = endpoints.map(({ address, targetName, nodeName, clients: count }) => {
      const bar = '█'.repeat(Math.round((20 * count) / most))
      return [`  ${address}`, targetName, nodeName, `${count}`, `${((100 * count) / clients).toFixed(1)} %`, bar]
    })
    return `${titleOf(found)}: ${clients} clients over ${endpoints.length} endpoints, ${(100 / endpoints.length).toFixed(1)} % expected for each\n${columns(rows)}`
  })
  return Exit.done
}

function titleOf({ service, portName, ...asked }: LookupFacts): string {
  return `${addressText(asked)} (${nameOf({ service, portName })})`
}

/** As iptables chooses: the first of n with the probability 1/n, of the rest the first with 1/(n-1), and so on. */
function spread(endpoints: number, clients: number, random: Random): number[] {
  const counts = new Array<number>(endpoints).fill(0)
  for (let client = 0; client < clients && endpoints > 0; client++) {
    let at = 0
    while (at < endpoints - 1 && random() >= 1 / (endpoints - at)) at++
    counts[at]!++
  }
  return counts
}

const most = 10_000_000

function clientsOf(text: string): number {
  if (/^\d{1,8}$/.test(text) && Number(text) >= 1 && Number(text) <= most) return Number(text)
  throw usageError(`-clients is a number from 1 to ${most}, got "${text}"`)
}
