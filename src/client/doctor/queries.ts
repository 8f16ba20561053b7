/** Checks that ask for names of the cluster: each DNS pod by itself, and the virtual address that stands for all. */
import { hostPort } from '../../corefile/addresses.ts'
import { type Check, type Finding, fault, isMissing, kubectl } from './check.ts'
import { type Complaint, complaint, type DnsQuestion, dnsQuestions } from './dns-question.ts'
import type { DnsEndpoint } from './dns-server.ts'
import type { Network, Transport, World } from './world.ts'

const transports: readonly Transport[] = ['udp', 'tcp']

/** One of the servers, and what is wrong with what it said. */
interface Reply {
  readonly who: string
  readonly question: DnsQuestion
  readonly server: string
  readonly transport: Transport
  readonly wrong: Complaint | undefined
}

async function ask(network: Network, who: string, at: Address, question: DnsQuestion): Promise<Reply> {
  const { ip, port, transport } = at
  const heard = await network.ask(ip, port, transport, question.name, question.type)
  return { who, question, server: hostPort(ip, port), transport, wrong: complaint(question, heard) }
}

interface Address {
  readonly ip: string
  readonly port: number
  readonly transport: Transport
}

function doorsOf({ ip, ports }: DnsEndpoint): Address[] {
  return transports.flatMap(transport => {
    const port = ports[transport === 'udp' ? 'UDP' : 'TCP']
    return port === undefined ? [] : [{ ip, port, transport }]
  })
}

export const directQueryCheck: Check = {
  name: 'direct query',
  async examine(world) {
    const { network } = world
    if (isMissing(network)) return network
    const endpoints = world.dns.endpoints.filter(({ ready }) => ready)
    if (endpoints.length === 0) return { missing: 'there is no ready endpoint to ask' }
    const questions = dnsQuestions(world)
    const replies = await Promise.all(
      endpoints.map(endpoint =>
        Promise.all(
          doorsOf(endpoint).flatMap(at => questions.map(question => ask(network, endpoint.who, at, question))),
        ),
      ),
    )
    const who = endpoints.map(({ who }) => who).join(', ')
    const summary = `${who} ${endpoints.length === 1 ? 'answers' : 'answer'} over UDP and TCP, asked from ${network.from}`
    return { summary, findings: replies.flatMap(findingsOf) }
  },
}

/** What is wrong with the replies of one pod; the same over both transports is told once, and silence once for all questions. */
function findingsOf(replies: readonly Reply[]): Finding[] {
  const groups = Map.groupBy(
    replies.filter(({ wrong }) => wrong !== undefined),
    ({ wrong }) => wrong!.seen,
  )
  return [...groups.values()].map(group => {
    const [{ who, wrong, question, server, transport }] = group as [Reply]
    const at = places(group)
    const well = places(replies.filter(reply => reply.question === question && reply.wrong === undefined))
    const but = well === '' ? '' : `, and answers at ${well}`
    const pod = who.includes('/') ? [kubectl('logs', who), kubectl('describe pod', who)] : []
    const query = `portolan query ${question.name} ${question.type} @${server}${transport === 'tcp' ? ' +tcp' : ''}`
    return fault(`${who} ${wrong!.seen} at ${at}${but}`, wrong!.means, [...pod, query], ['virtual address', 'upstream'])
  })
}

/** `10.244.1.2:53/UDP and 10.244.1.2:53/TCP`. */
function places(replies: readonly Reply[]): string {
  return [...new Set(replies.map(({ server, transport }) => `${server}/${transport.toUpperCase()}`))].join(' and ')
}

export const virtualAddressCheck: Check = {
  name: 'virtual address',
  async examine(world: World) {
    const { network, dns } = world
    if (isMissing(network)) return network
    const [ip] = dns.service?.clusterIPs ?? []
    if (ip === undefined) return { missing: 'the DNS service has no address' }
    const [question] = dnsQuestions(world)
    const replies = await Promise.all(
      transports.map(transport => ask(network, ip, { ip, port: 53, transport }, question!)),
    )
    const findings = replies.flatMap(({ wrong, server, transport }) => {
      if (wrong === undefined) return []
      const seen = `${server}/${transport.toUpperCase()} ${wrong.seen}`
      const means = `the rules of ${network.from} do not lead to pods that answer`
      const next = ['portolan routes diff -node NAME', 'kubectl -n kube-system logs ds/kube-proxy']
      return [fault(seen, means, next, ['upstream'])]
    })
    return { summary: `${ip} answers over UDP and TCP`, findings }
  },
}
