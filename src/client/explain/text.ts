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
    ['dns', dns.flatMap(dnsLines)],
    ['walk', walk.steps.flatMap((step, i) => stepLines(step, i === walk.steps.length - 1))],
    ['ingress', ingress?.routes.flatMap(ingressLines) ?? []],
    ['route', destinations.flatMap(destinationLines)],
    ['policy', distinct(destinations.flatMap(policyLines))],
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

/** Both types in one line where they came to the same. */
function stepLines({ name, questions }: StepFacts, last: boolean): string[] {
  const groups = [
    ...Map.groupBy(questions, ({ outcome, why, records }) => `${outcome} ${why} ${records.length}`).values(),
  ]
  return groups.flatMap((group, i) => {
    const types = group.map(({ type }) => type).join('+')
    return questionLine(i === 0 ? `${name}.` : '', types, group[0]!, name.length, last && i === groups.length - 1)
  })
}

function questionLine(name: string, types: string, question: QuestionFacts, width: number, last: boolean): string {
  const { type, outcome, records, plugin, objects, why } = question
  const data = records.map(record => (record.type === type ? record.data : `${record.type} ${record.data}`))
  const made = objects.length > 2 ? [...objects.slice(0, 2), '…'] : objects
  const by = plugin === '' ? '' : `[${[plugin, made.join(', ')].filter(part => part !== '').join(': ')}]`
  const parts = [name.padEnd(width + 1), types.padEnd(6), outcome, few(data, 3).join(', '), why ?? '', by]
  return `${parts.filter(part => part !== '').join('  ')}${last ? '  ← ends here' : ''}`
}

/** The first of many, and how many more there are. */
function few(texts: readonly string[], most: number): string[] {
  return texts.length > most + 1 ? [...texts.slice(0, most), `and ${texts.length - most} more`] : [...texts]
}

/** The way to the DNS server is told in full only where it ends. */
function dnsLines(facts: DestinationFacts): string[] {
  const { ip, port, protocol, service, outcome, backends } = facts
  if (outcome !== 'reachable') return [...destinationLines(facts), ...(outcome === 'denied' ? policyLines(facts) : [])]
  const what = service === undefined ? '' : ` (${service})`
  return [`${addressText(ip, port, protocol)}${what}: reachable, ${few(backends.map(whoIs), 3).join(', ')}`]
}

function whoIs({ pod, address }: BackendFacts): string {
  return pod || address
}

function destinationLines({
  ip,
  port,
  protocol,
  kind,
  service,
  why,
  choice,
  source,
  backends,
  notes,
}: DestinationFacts): string[] {
  const at = addressText(ip, port, protocol)
  const what = service === undefined ? kind : `${kind} of ${service}`
  if (backends.length === 0) return [`${at} (${what}): ${why}`, ...notes]
  const heads = [`${at} (${what})${choice === undefined ? '' : `: ${choice}`}`]
  const seen = source === undefined ? [] : [`source seen by the endpoint: ${source}`]
  return [...heads, ...few(backends.map(backendLine), 10), ...seen, ...notes]
}

function backendLine({ address, pod, node, probability, policy }: BackendFacts): string {
  const chance = probability > 0 ? `1/${Math.round(1 / probability)}` : '-'
  const denied = policy.allowed ? '' : 'denied'
  return `  ${[chance, address, pod || 'no pod', node, denied].filter(part => part !== '').join('  ')}`
}

/** What policies say, side by side; endpoints of which they say the same in one line. */
function policyLines({ backends }: DestinationFacts): string[] {
  const sides = backends.flatMap(backend => [
    { backend, side: backend.policy.egress },
    { backend, side: backend.policy.ingress },
  ])
  const groups = Map.groupBy(
    sides,
    ({ side }) => `${side.direction} ${side.because} ${side.because === 'not isolated' ? '' : side.why}`,
  )
  return [...groups.values()].flatMap(group => {
    const [{ side }] = group as [(typeof group)[0]]
    const all = new Set(group.map(({ backend }) => backend.address)).size
    const why =
      side.because === 'not isolated' && all > 1 && side.direction === 'ingress'
        ? `no policy isolates any of ${all} endpoints`
        : side.why
    const line = `${side.direction.padEnd(7)} ${side.allowed ? 'allowed' : 'denied'}: ${why}`
    return [line, ...side.nearMisses.map(miss => `        ${miss.why}`), ...side.caveats.map(text => `        ${text}`)]
  })
}

function hopLines({ backends }: DestinationFacts): string[] {
  // A pod of a manifest that is on no node says nothing of how packets get there.
  const known = backends.flatMap(({ hop, node }) => (hop === undefined || node === '' ? [] : [hop.why, ...hop.caveats]))
  return few(known, 10)
}

function ingressLines({ why, class: name, findings, endpoints, lack }: IngressRouteFacts): string[] {
  const served =
    lack ??
    (endpoints.length > 0
      ? `endpoints, which the controller goes to directly: ${few(endpoints, 10).join(', ')}`
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
