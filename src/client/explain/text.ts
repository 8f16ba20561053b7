/** An explanation for people: the verdict first, then the way from the name to the packet. */
import type { BackendFacts, DestinationFacts } from './destination.ts'
import { addressText } from './destination.ts'
import type { Explained } from './explained.ts'
import type { IngressRouteFacts } from './ingress-facts.ts'
import type { QuestionFacts, StepFacts } from './walked.ts'

const marks = {
  reachable: '✓ reachable',
  unknown: '? not known',
  'not resolvable': '✗ not resolvable',
  'no endpoint': '✗ no usable endpoint',
  denied: '✗ denied',
} as const

/** Whole lines. */
export function explanationText(explained: Explained): string {
  const { verdict, why, resolver, walk, dns, destinations, ingress, notes, advice } = explained
  const parts: [title: string, lines: readonly string[]][] = [
    ['resolver', resolverLines(explained)],
    ['dns', dns.flatMap(destinationLines)],
    ['walk', walk.steps.flatMap((step, i) => stepLines(step, i === walk.steps.length - 1))],
    ['ingress', ingress?.routes.flatMap(ingressLines) ?? []],
    ['route', destinations.flatMap(destinationLines)],
    ['policy', destinations.flatMap(policyLines)],
    ['last hop', distinct(destinations.flatMap(hopLines))],
    ['notes', [...resolver.findings, ...notes]],
    ['next', advice],
  ]
  const shown = parts.filter(([, lines]) => lines.length > 0)
  return `${[`${marks[verdict]}: ${why}`, '', ...shown.flatMap(([title, lines]) => section(title, lines))].join('\n')}\n`
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.map((line, i) => `${(i === 0 ? title : '').padEnd(10)} ${line}`.trimEnd())
}

function resolverLines({ from, resolver }: Explained): string[] {
  const { nameservers, search, options, reason } = resolver
  const parts = [
    `nameserver ${nameservers.join(' ') || 'none'}`,
    `search ${search.join(' ') || 'none'}`,
    ...(options.length > 0 ? [options.join(' ')] : []),
  ]
  return [`resolv.conf of ${from}: ${parts.join('; ')}`, reason]
}

function stepLines({ name, questions }: StepFacts, last: boolean): string[] {
  return questions.flatMap((question, i) =>
    questionLines(i === 0 ? `${name}.` : '', question, name.length, last && i === questions.length - 1),
  )
}

function questionLines(name: string, question: QuestionFacts, width: number, last: boolean): string[] {
  const { type, outcome, records, plugin, objects, why } = question
  const data = records.map(record => (record.type === type ? record.data : `${record.type} ${record.data}`))
  const shown = data.length > 4 ? [...data.slice(0, 3), `and ${data.length - 3} more`] : data
  const by =
    plugin === ''
      ? ''
      : `${plugin}${objects.length > 0 ? `: ${objects.slice(0, 2).join(', ')}${objects.length > 2 ? ', …' : ''}` : ''}`
  const parts = [
    name.padEnd(width + 1),
    type.padEnd(4),
    outcome,
    shown.join(', '),
    why ?? '',
    by === '' ? '' : `[${by}]`,
  ]
  return [`${parts.filter(part => part !== '').join('  ')}${last ? '  ← ends here' : ''}`]
}

function destinationLines({
  ip,
  port,
  protocol,
  kind,
  service,
  outcome,
  why,
  choice,
  source,
  backends,
  notes,
}: DestinationFacts): string[] {
  const at = addressText(ip, port, protocol)
  const what = service === undefined ? kind : `${kind} of ${service}`
  if (outcome === 'no endpoint' && backends.length === 0) return [`${at} (${what}): ${why}`, ...notes]
  const heads = [`${at} (${what})${choice === undefined ? '' : `: ${choice}`}`]
  const shown = backends.slice(0, 10)
  const more = backends.length > shown.length ? [`  and ${backends.length - shown.length} more`] : []
  const seen = source === undefined ? [] : [`source seen by the endpoint: ${source}`]
  return [...heads, ...shown.map(backendLine), ...more, ...seen, ...notes]
}

function backendLine({ address, pod, node, probability, policy }: BackendFacts): string {
  const chance = probability > 0 ? `1/${Math.round(1 / probability)}` : '-'
  const denied = policy.allowed ? '' : 'denied'
  return `  ${[chance, address, pod || 'no pod', node, denied].filter(part => part !== '').join('  ')}`
}

/** What policies say of the endpoints; the same words once. */
function policyLines({ backends }: DestinationFacts): string[] {
  return distinct(
    backends.flatMap(({ policy: { egress, ingress } }) => [
      ...[egress, ingress].flatMap(side => [
        `${side.direction.padEnd(7)} ${side.allowed ? 'allowed' : 'denied'}: ${side.why}`,
      ]),
      ...[egress, ingress].flatMap(side => [
        ...side.nearMisses.map(({ why }) => `        ${why}`),
        ...side.caveats.map(text => `        ${text}`),
      ]),
    ]),
  )
}

function hopLines({ backends }: DestinationFacts): string[] {
  return backends.slice(0, 10).flatMap(({ hop }) => (hop === undefined ? [] : [hop.why, ...hop.caveats]))
}

function ingressLines({ why, class: name, findings, endpoints, lack }: IngressRouteFacts): string[] {
  const served =
    lack ??
    (endpoints.length > 0
      ? `endpoints, which the controller goes to directly: ${endpoints.slice(0, 10).join(', ')}`
      : undefined)
  return [
    `${why}${name === '' ? '' : `, class ${name}`}`,
    ...findings.map(({ text }) => text),
    ...(served === undefined ? [] : [served]),
  ]
}

function distinct(lines: readonly string[]): string[] {
  return [...new Set(lines)]
}
