/** `portolan routes list`: every virtual address, what it leads to, and the services that have none. */
import { hostPort } from '../corefile/addresses.ts'
import { type ListFacts, list, type RouteFacts } from '../routes/facts/list.ts'
import type { Arguments } from './arguments.ts'
import { Exit } from './command.ts'
import { answer, fromJson } from './routes-answer.ts'
import { columns, show } from './routes-output.ts'
import type { Shell } from './shell.ts'

export async function listRoutes(given: Arguments, shell: Shell): Promise<number> {
  const facts = await answer(given, shell, list(given), { path: '/routes', words: {}, read: fromJson<ListFacts> })
  show(given, shell, facts, () => textOf(facts))
  return Exit.done
}

function textOf({ routes, without, lack }: ListFacts): string {
  const lines = routes.map(({ address, port, protocol, kind, service, action, why, usable, endpoints, notes }) => [
    `${addressText(kind, address, port)}/${protocol}`,
    kind,
    service,
    action === 'forward' ? `${usable} of ${endpoints}` : `${action}: ${why}`,
    notes.join('; '),
  ])
  const table =
    lines.length === 0 ? 'no routes\n' : columns([['ADDRESS', 'KIND', 'SERVICE', 'ENDPOINTS', 'NOTES'], ...lines])
  const others = without.map(({ service, text }) => [service, text])
  return [
    table,
    ...(others.length === 0 ? [] : [`\nwithout routes\n${columns(others)}`]),
    ...(lack === undefined ? [] : [`\n${lack}\n`]),
  ].join('')
}

function addressText(kind: RouteFacts['kind'], ip: string, port: number): string {
  if (kind === 'NodePort') return `${ip === '::' ? '[node]' : 'node'}:${port}`
  return hostPort(ip, port)
}
