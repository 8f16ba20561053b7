/** Checks that ask: each DNS pod by itself, the virtual address that stands for them, and for a name that another server knows. */
import { hostPort } from '../../corefile/addresses.ts'
import { type Check, type Finding, fault, isMissing, kubectl, some, warning } from './check.ts'
import { forwardedTo } from './corefile-facts.ts'
import type { DnsEndpoint } from './dns-server.ts'
import { type Heard, knownService, type Network, type Transport, type World } from './world.ts'

const transports: readonly Transport[] = ['udp', 'tcp']

/** One of the servers, and what it said. */
interface Reply {
  readonly who: string
  /** `10.244.1.2:53/UDP`. */
  readonly at: string
  readonly transport: Transport
  readonly heard: Heard
}

/** The name of a service that every cluster has. */
function knownName({ zone }: World): string {
  return `kubernetes.default.svc.${zone}`
}

async function askPod(network: Network, { ip, who, ports }: DnsEndpoint, name: string): Promise<Reply[]> {
  const asked = transports.map(async transport => {
    const port = ports[transport === 'udp' ? 'UDP' : 'TCP']
    if (port === undefined) return []
    const heard = await network.ask(ip, port, transport, name)
    return [{ who, at: `${hostPort(ip, port)}/${transport.toUpperCase()}`, transport, heard }]
  })
  return (await Promise.all(asked)).flat()
}

export const directQueryCheck: Check = {
  name: 'direct query',
  async examine(world) {
    const { network } = world
    if (isMissing(network)) return network
    const endpoints = world.dns.endpoints.filter(({ ready }) => ready)
    if (endpoints.length === 0) return { missing: 'there is no ready endpoint to ask' }
    const replies = await Promise.all(endpoints.map(endpoint => askPod(network, endpoint, knownName(world))))
    const findings = replies.flatMap(own => wrongWith(world, own))
    return {
      summary: `${endpoints.map(({ who }) => who).join(', ')} answer over UDP and TCP, asked from ${network.from}`,
      findings,
    }
  },
}

/** What is wrong with the replies of one pod; the same over both transports is told once. */
function wrongWith(world: World, replies: readonly Reply[]): Finding[] {
  const wrong = replies.flatMap(reply => {
    const why = complaint(world, reply.heard)
    return why === undefined ? [] : [{ ...reply, why }]
  })
  const groups = Map.groupBy(wrong, ({ why: { seen } }) => seen)
  return [...groups.values()].map(group => {
    const [{ who, why }] = group as [(typeof group)[0]]
    const at = group.map(reply => reply.at).join(' and ')
    const well = replies.filter(({ heard }) => complaint(world, heard) === undefined)
    const but = well.length > 0 ? `, and answers at ${well.map(reply => reply.at).join(' and ')}` : ''
    const pod = who.includes('/') ? [kubectl('logs', who), kubectl('describe pod', who)] : []
    const query = `portolan query ${knownName(world)} @${group[0]!.at.replace(/\/\w+$/, '')}${group[0]!.transport === 'tcp' ? ' +tcp' : ''}`
    return fault(`${who} ${why.seen} at ${at}${but}`, why.means, [...pod, query], ['virtual address', 'upstream'])
  })
}

interface Complaint {
  readonly seen: string
  readonly means: string
}

/** Undefined for a reply that says what the API server does. */
function complaint(world: World, heard: Heard): Complaint | undefined {
  const name = knownName(world)
  if (heard.rcode === undefined)
    return {
      seen: `does not answer (${heard.silence})`,
      means: 'it counts as ready, and clients that are sent to it wait in vain',
    }
  const known = knownService(world)?.clusterIPs.filter(ip => ip.includes('.')) ?? []
  if (heard.rcode !== 'NOERROR') {
    const means =
      heard.rcode === 'SERVFAIL'
        ? 'it has not read the cluster (its API server, its account), or forwards in a loop'
        : heard.rcode === 'NXDOMAIN'
          ? 'it does not know what the API server knows: another zone, or a watch that was lost'
          : 'its Corefile does not serve this zone'
    return { seen: `answers ${heard.rcode} for ${name}`, means }
  }
  if (known.length === 0 || known.every(ip => heard.addresses.includes(ip))) return undefined
  const said = heard.addresses.length > 0 ? heard.addresses.join(', ') : 'no address'
  return {
    seen: `says ${said} for ${name}, which is ${known.join(', ')}`,
    means: 'it does not know what the API server knows',
  }
}

export const virtualAddressCheck: Check = {
  name: 'virtual address',
  async examine(world) {
    const { network, dns } = world
    if (isMissing(network)) return network
    const [ip] = dns.service?.clusterIPs ?? []
    if (ip === undefined) return { missing: 'the DNS service has no address' }
    const name = knownName(world)
    const replies = await Promise.all(
      transports.map(async transport => ({ transport, heard: await network.ask(ip, 53, transport, name) })),
    )
    const findings = replies.flatMap(({ transport, heard }) => {
      const wrong = complaint(world, heard)
      if (wrong === undefined) return []
      const seen = `${hostPort(ip, 53)}/${transport.toUpperCase()} ${wrong.seen}`
      const means = `the rules of ${network.from} do not lead to pods that answer`
      const next = ['portolan routes diff -node NAME', 'kubectl -n kube-system logs ds/kube-proxy']
      return [fault(seen, means, next, ['upstream'])]
    })
    return { summary: `${ip} answers over UDP and TCP`, findings }
  },
}

export const upstreamCheck: Check = {
  name: 'upstream',
  async examine(world) {
    const { network, outsideName, corefile } = world
    if (isMissing(network)) return network
    if (isMissing(outsideName)) return outsideName
    const endpoints = world.dns.endpoints.filter(({ ready, ports }) => ready && ports.UDP !== undefined)
    if (endpoints.length === 0) return { missing: 'there is no ready endpoint to ask' }
    const upstreams = isMissing(corefile) ? [] : forwardedTo(corefile)
    const asked = endpoints.map(async ({ ip, who, ports }) => ({
      who,
      heard: await network.ask(ip, ports.UDP!, 'udp', outsideName),
    }))
    const bad = (await Promise.all(asked)).filter(({ heard }) => heard.rcode !== 'NOERROR')
    const findings = await Promise.all(
      bad.slice(0, 1).map(({ heard }) => upstreamFinding(network, outsideName, upstreams, bad, heard)),
    )
    const by = upstreams.length > 0 ? `, forwarded to ${some(upstreams, 3)}` : ''
    return {
      summary: `${outsideName} is answered by ${endpoints.length === 1 ? endpoints[0]!.who : 'each of them'}${by}`,
      findings,
    }
  },
}

async function upstreamFinding(
  network: Network,
  name: string,
  upstreams: readonly string[],
  bad: readonly { readonly who: string }[],
  heard: Heard,
): Promise<Finding> {
  const who = some(bad.map(reply => reply.who))
  const said = heard.rcode ?? heard.silence
  const seen = `${who} cannot tell ${name}: ${said}`
  if (heard.rcode === 'NXDOMAIN')
    return warning(seen, 'the server that they forward to does not know it; -outside-name gives another one')
  const silent = await silentOf(network, name, upstreams)
  const evidence = silent.length > 0 ? `; ${some(silent)}` : ''
  const [first = 'UPSTREAM'] = upstreams
  const means =
    upstreams.length === 0 ? 'nothing is forwarded, or nobody knows where to' : `${some(upstreams, 3)} must answer them`
  return fault(`${seen}${evidence}`, `no name outside of the cluster is answered: ${means}`, [
    `portolan query ${name} @${first}`,
    'kubectl -n kube-system get configmap coredns -o yaml',
  ])
}

/** Upstreams that are addresses are asked themselves. */
async function silentOf(network: Network, name: string, upstreams: readonly string[]): Promise<string[]> {
  const asked = upstreams.map(async text => {
    const at = addressOf(text)
    if (at === undefined) return []
    const heard = await network.ask(at.host, at.port, 'udp', name)
    return heard.rcode === undefined ? [`${text} itself: ${heard.silence}`] : []
  })
  return (await Promise.all(asked)).flat()
}

function addressOf(text: string): { host: string; port: number } | undefined {
  const [, six, four, port = '53'] = /^(?:\[([\da-f:]+)\]|(\d+\.\d+\.\d+\.\d+))(?::(\d+))?$/i.exec(text) ?? []
  const host = six ?? four
  return host === undefined ? undefined : { host, port: Number(port) }
}
