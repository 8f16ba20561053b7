/** `portolan routes simulate`: sends clients that do not exist to an address, and shows where they end up. */
import type { Random } from '../observe/clock.ts'
import type { Backend } from '../routes/route.ts'
import { type Arguments, usageError } from './arguments.ts'
import { Exit } from './command.ts'
import { follow } from './routes-asked.ts'
import { titleOf } from './routes-lookup.ts'
import { columns, show } from './routes-output.ts'
import type { Shell } from './shell.ts'

export async function simulateRoute(given: Arguments, shell: Shell): Promise<number> {
  const clients = clientsOf(given.text('clients') ?? '1000')
  const found = await follow(given, shell)
  const { outcome } = found.path
  const backends = outcome.action === 'forward' ? outcome.backends : []
  const counts = spread(backends, clients, shell.random)
  const endpoints = backends.map(({ address, targetName, nodeName }, i) => ({
    address,
    targetName,
    nodeName,
    clients: counts[i]!,
  }))
  const facts = { ...found.asked, clients, action: outcome.action, why: outcome.why, endpoints }
  show(given, shell, facts, () => {
    if (outcome.action !== 'forward')
      return `✗ ${titleOf(found)}: all ${clients} clients meet ${outcome.action}: ${outcome.why}\n`
    const most = Math.max(...counts)
    const rows = endpoints.map(({ address, targetName, nodeName, clients: count }) => {
      const bar = '█'.repeat(Math.round((20 * count) / most))
      return [`  ${address}`, targetName, nodeName, `${count}`, `${((100 * count) / clients).toFixed(1)} %`, bar]
    })
    return `${titleOf(found)}: ${clients} clients over ${endpoints.length} endpoints, ${(100 / endpoints.length).toFixed(1)} % expected for each\n${columns(rows)}`
  })
  return Exit.done
}

/** As iptables chooses: the first of n with the probability 1/n, of the rest the first with 1/(n-1), and so on. */
function spread(backends: readonly Backend[], clients: number, random: Random): number[] {
  const counts = backends.map(() => 0)
  for (let client = 0; client < clients && backends.length > 0; client++) {
    let at = 0
    while (at < backends.length - 1 && random() >= 1 / (backends.length - at)) at++
    counts[at]!++
  }
  return counts
}

const most = 10_000_000

function clientsOf(text: string): number {
  if (/^\d{1,8}$/.test(text) && Number(text) >= 1 && Number(text) <= most) return Number(text)
  throw usageError(`-clients is a number from 1 to ${most}, got "${text}"`)
}
