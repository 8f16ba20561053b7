/**
 * Forgets UDP flows that lead to endpoints which are no more. TCP notices by itself; a UDP client would go on talking to nobody for as long
 * as it keeps its port. As kube-proxy 1.34, which looks at the same entries.
 */
import { hostPort } from '../../corefile/addresses.ts'
import { messageOf } from '../../errors.ts'
import type { Logger } from '../../observe/logger.ts'
import { canonicalAddress, type Family } from '../../wire/address.ts'
import { changes } from '../render/stretch.ts'
import type { Destination } from '../route.ts'
import type { Run } from './command.ts'
import { succeed } from './kernel.ts'

export interface Flow {
  /** Where the client sends to: an address with its port. */
  readonly to: { readonly ip: string; readonly port: number }
  /** Who answers. */
  readonly from: { readonly ip: string; readonly port: number }
}

/** Reads what `conntrack -L` prints; each line has the two directions one behind the other. */
export function readFlows(text: string): Flow[] {
  return text.split('\n').flatMap(line => {
    const values = (name: string) =>
      Array.from(line.matchAll(new RegExp(` ${name}=(\\S+)`, 'g')), ([, value]) => value!)
    const [src, dst, sport, dport] = ['src', 'dst', 'sport', 'dport'].map(values) as [
      string[],
      string[],
      string[],
      string[],
    ]
    if (src.length < 2 || sport.length < 2) return []
    return {
      to: { ip: canonicalAddress(dst[0]!), port: Number(dport[0]) },
      from: { ip: canonicalAddress(src[1]!), port: Number(sport[1]) },
    }
  })
}

/** The flows to these destinations' addresses that none of their endpoints answers. `ownIPs`: the node's addresses. */
export function staleFlows(
  flows: readonly Flow[],
  destinations: readonly Destination[],
  ownIPs: readonly string[],
): Flow[] {
  const [virtual, nodePorts] = [new Map<string, Set<string>>(), new Map<number, Set<string>>()]
  for (const { addresses, backends } of destinations) {
    const serving = new Set(backends.filter(backend => backend.ready || backend.serving).map(({ address }) => address))
    for (const { kind, ip, port } of addresses) {
      // Where several claim one address, its flows may be those of any.
      if (kind === 'NodePort') nodePorts.set(port, both(serving, nodePorts.get(port)))
      else virtual.set(hostPort(ip, port), both(serving, virtual.get(hostPort(ip, port))))
    }
  }
  return flows.filter(({ to, from }) => {
    const rewritten = from.ip !== to.ip
    // A port of this number at an address that is not the node's is somebody else's, unless it is rewritten.
    const nodePort = rewritten || ownIPs.includes(to.ip) ? nodePorts.get(to.port) : undefined
    const serving = virtual.get(hostPort(to.ip, to.port)) ?? nodePort
    return serving !== undefined && !serving.has(hostPort(from.ip, from.port))
  })
}

function both(a: ReadonlySet<string>, b: ReadonlySet<string> = new Set()): Set<string> {
  return new Set([...a, ...b])
}

export class Conntrack {
  readonly #run: Run
  readonly #log: Logger
  #missing = false

  constructor(run: Run, log: Logger) {
    this.#run = run
    this.#log = log
  }

  /** Has the kernel forget stale flows to what has changed from `before` to `after`. Says so where it cannot. */
  async forget(
    family: Family,
    ownIPs: readonly string[],
    before: readonly Destination[],
    after: readonly Destination[],
  ): Promise<void> {
    if (this.#missing) return
    const touched = changedUDP(before, after)
    if (touched.length === 0) return
    const kind = ['-p', 'udp', '-f', family.toLowerCase()]
    const { status, stdout, stderr } = await this.#run('conntrack', ['-L', ...kind])
    if (status !== 0) return this.#cannot(status, stderr)
    const stale = new Map(staleFlows(readFlows(stdout), touched, ownIPs).map(flow => [JSON.stringify(flow), flow]))
    for (const { to, from } of stale.values()) {
      const which = [
        '--orig-dst',
        to.ip,
        '--orig-port-dst',
        `${to.port}`,
        '--reply-src',
        from.ip,
        '--reply-port-src',
        `${from.port}`,
      ]
      try {
        await succeed(this.#run, 'conntrack', ['-D', ...kind, ...which])
        this.#log.info(
          `forgot UDP flows to ${hostPort(to.ip, to.port)} that ${hostPort(from.ip, from.port)} would answer`,
        )
      } catch (error) {
        // It may have ended by itself meanwhile.
        if (!/ 0 flow entries/.test(messageOf(error))) this.#log.warning(messageOf(error))
      }
    }
  }

  #cannot(status: number, stderr: string): void {
    this.#missing = status === 127
    const why = this.#missing ? 'conntrack is not installed' : `conntrack: ${stderr.trim().split('\n')[0]}`
    this.#log.warning(`UDP flows to endpoints that are gone stay until they end: ${why}`)
  }
}

/** What is there now of that which differs, and what is gone altogether: nobody answers for that. */
function changedUDP(before: readonly Destination[], after: readonly Destination[]): Destination[] {
  const { gone, fresh } = changes(before, after)
  const isUDP = ({ protocol }: Destination) => protocol === 'UDP'
  return [...fresh.filter(isUDP), ...gone.filter(isUDP).map(destination => ({ ...destination, backends: [] }))]
}
