/**
 * From a name that a program in a pod uses to the packets that leave its node, step by step, with the object or the rule behind each: why
 * it works, or where it ends. Everything is worked out; nothing is sent.
 */
import { isIP } from 'node:net'
import { type IngressRequest, ingressRoutes } from '../ingress/route.ts'
import { isPublicEnd } from '../public-ends.ts'
import type { Asker, Judgement } from './asker.ts'
import { type DestinationFacts, type Door, destinations, type Outcome } from './destination.ts'
import { type IngressFacts, ingressFacts } from './ingress-facts.ts'
import { lackOf, meantFor } from './unresolved.ts'
import { type Walked, walkedBy } from './walked.ts'

/** What is asked: a name and perhaps a port, or the URL of an Ingress. */
export interface Question {
  /** A name or an address. */
  readonly name: string
  readonly door: Partial<Door>
  readonly request: IngressRequest | undefined
}

export interface Explanation extends Judgement {
  /** How the cluster's DNS server is reached; one for each of its addresses that the pod asks. */
  readonly dns: readonly DestinationFacts[]
  readonly walk: Walked
  readonly destinations: readonly DestinationFacts[]
  readonly ingress: IngressFacts | undefined
  readonly notes: readonly string[]
}

export async function explain(asker: Asker, { name, door, request }: Question): Promise<Explanation> {
  const servers = asker.config.servers.filter(server => asker.clusterDns.includes(server))
  const dns = servers.flatMap(server => destinations(asker, server, { protocol: 'UDP', port: 53 }))
  const walker = {
    ...asker,
    servers: new Set(servers),
    ips: asker.pod.podIPs,
    meant: meantFor(asker, name) !== undefined,
  }
  const walk = await walkedBy(walker, name)
  const answer = request && ingressRoutes(asker.view, request, { secrets: asker.secrets })
  // A URL may be that of a service.
  const ingress = answer && answer.routes.length > 0 ? ingressFacts(asker, answer) : undefined
  const found = ingress ? [] : walk.addresses.flatMap(ip => destinations(asker, ip, door))
  const facts = { dns, walk, destinations: found, ingress, notes: notesOf(asker, name, walk) }
  const judgement = verdictOf(asker, name, facts, servers)
  // Of a host that only Ingresses could have, it counts what these say.
  const isHost =
    answer !== undefined && ingress === undefined && walk.outcome !== 'found' && judgement.verdict !== 'denied'
  return { ...(isHost ? { verdict: 'unknown', why: answer.why } : judgement), ...facts }
}

type Facts = Pick<Explanation, 'dns' | 'walk' | 'destinations' | 'ingress'>

function verdictOf(asker: Asker, name: string, facts: Facts, servers: readonly string[]): Judgement {
  const { dns, walk, destinations, ingress } = facts
  if (ingress) return ingress.judgement
  const asked = walk.steps.length > 0
  if (asked && dns.length > 0 && dns.length >= servers.length) {
    if (dns.every(({ outcome }) => outcome === 'denied'))
      return { verdict: 'denied', why: `the pod cannot reach the DNS server: ${dns[0]!.why}` }
    if (dns.every(({ outcome }) => outcome === 'no endpoint'))
      return { verdict: 'not resolvable', why: `the DNS server has no endpoint: ${dns[0]!.why}` }
  }
  if (walk.outcome === 'found') return best(destinations)
  const lack = lackOf(asker, name, walk)
  return lack === undefined
    ? { verdict: 'unknown', why: `${name} leaves the cluster: ${walk.unknown}` }
    : { verdict: 'not resolvable', why: lack }
}

const order: readonly Outcome[] = ['reachable', 'outside', 'denied', 'no endpoint']

/** A program tries one address after the other, so the best one counts. */
function best(destinations: readonly DestinationFacts[]): Judgement {
  const found = order.flatMap(outcome => destinations.find(destination => destination.outcome === outcome) ?? [])[0]
  if (found === undefined) return { verdict: 'unknown', why: 'there is no address' }
  const { outcome, why } = found
  return { verdict: outcome === 'outside' ? 'unknown' : outcome, why }
}

function notesOf({ names, config }: Asker, name: string, { steps, outcome }: Walked): string[] {
  const notes: string[] = []
  const last = steps.at(-1)
  const end = name.split('.').at(-1)!.toLowerCase()
  if (outcome === 'found' && last?.search !== undefined && name.includes('.') && isPublicEnd(end))
    notes.push(
      `namespace ${end} captures the search: ${name} was found as ${last.name}; with a dot at its end, ${name}., it is asked as it stands`,
    )
  const misses = steps.filter(({ name: step }) => names.zones.some(zone => step.endsWith(`.${zone}`))).length
  if (misses > 1 && !name.endsWith('.') && steps.length > 2)
    notes.push(
      `${steps.length} names are asked for (ndots:${config.ndots}): a dot at the end of a full name, or a smaller ndots, saves the rest`,
    )
  return notes
}

/** Reads `NAME`, `NAME:PORT`, `NAME:PORT/PROTOCOL`, `[ADDRESS]:PORT` or a URL's host; undefined for what is none of them. */
export function readTarget(text: string): { readonly name: string; readonly door: Partial<Door> } | undefined {
  if (isIP(text) !== 0) return { name: text, door: {} }
  const { six, name, port, protocol } =
    /^(?:\[(?<six>[^\]]+)\]|(?<name>[^:[\]/\s]+))(?::(?<port>\d{1,5})(?:\/(?<protocol>tcp|udp|sctp))?)?$/i.exec(text)
      ?.groups ?? {}
  const host = six ?? name
  const number = Number(port ?? 1)
  if (host === undefined || number < 1 || number > 65_535 || (six !== undefined && isIP(six) !== 6)) return undefined
  const door = {
    ...(port !== undefined && { port: number }),
    ...(protocol !== undefined && { protocol: protocol.toUpperCase() as Door['protocol'] }),
  }
  return { name: host, door }
}
