/** Asks two servers everything that the churned cluster may hold, and compares the replies byte for byte. */
import type { ApiClient, ApiObject } from '../api-client.ts'
import { Asker, type Reply } from '../asker.ts'
import { dashed, reverseName } from '../conformance/names.ts'
import { flagBits, queryBytes, type TypeName, types } from '../message.ts'
import { namespaces, serviceNames } from './changes.ts'

const zone = 'cluster.local'
const waitMs = 2000
const inFlight = 32
const serviceTypes: readonly TypeName[] = ['A', 'AAAA', 'SRV', 'CNAME', 'ANY', 'TXT']
const portNames = ['http', 'dns', 'web', 'port-0', 'port-1', 'port-2']
const hostNames = Array.from({ length: 6 }, (_, n) => `host-${n}`)

export type Question = readonly [name: string, type: TypeName]

/** Names of all that is there, and of much that has been and may be; addresses of services are those that the API server tells. */
export async function questionsOf(client: ApiClient): Promise<Question[]> {
  const services = namespaces.flatMap(space => serviceNames.map(name => `${name}.${space}.svc.${zone}`))
  const owned = (await listed(client, '/api/v1/services')).flatMap(
    ({ spec }) => (spec as { clusterIPs?: string[] }).clusterIPs ?? [],
  )
  const members = (await listed(client, '/apis/discovery.k8s.io/v1/endpointslices')).flatMap(
    ({ metadata, endpoints }) =>
      ((endpoints ?? []) as { addresses: string[] }[]).flatMap(({ addresses }) =>
        addresses.map(address => ({
          address,
          name: `${dashed(address)}.${metadata.labels?.['kubernetes.io/service-name']}.${metadata.namespace}.svc.${zone}`,
        })),
      ),
  )
  const podAddresses = block('10.160', 2)
  const addresses = [...owned.filter(ip => ip !== 'None'), ...members.map(({ address }) => address), ...podAddresses]
  return [
    ...services.flatMap(name => serviceTypes.map(type => [name, type] as const)),
    ...services.flatMap(name =>
      portNames.flatMap(port => ['tcp', 'udp'].map(each => [`_${port}._${each}.${name}`, 'SRV'] as const)),
    ),
    ...services.flatMap(name => hostNames.map(host => [`${host}.${name}`, 'A'] as const)),
    ...members.flatMap(({ name }) => [[name, 'A'] as const, [name, 'AAAA'] as const]),
    ...namespaces.map(space => [`${space}.svc.${zone}`, 'A'] as const),
    ...namespaces.flatMap(space => podAddresses.map(ip => [`${dashed(ip)}.${space}.pod.${zone}`, 'A'] as const)),
    ...[...new Set([...addresses, ...block('10.150', 4)])].map(ip => [reverseName(ip), 'PTR'] as const),
  ]
}

/** Returns the questions to which the servers on these ports reply differently. The serial of the zone and the id do not count. */
export async function differing(ports: readonly [number, number], questions: readonly Question[]): Promise<Question[]> {
  using a = await Asker.open(ports[0])
  using b = await Asker.open(ports[1])
  const found: Question[] = []
  const queue = questions.values()
  const worker = async (): Promise<void> => {
    for (const question of queue) {
      const [left, right] = await Promise.all([whole(a, question), whole(b, question)])
      if (left !== right) found.push(question)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return found
}

/** The reply as text, over TCP where it did not fit. */
async function whole(asker: Asker, [name, type]: Question): Promise<string> {
  const packet = queryBytes(name, types[type])
  const short = await asker.ask(packet, { transport: 'udp', waitMs, tries: 2 })
  const isCut = typeof short !== 'string' && (short.readUInt16BE(2) & flagBits.TC) !== 0
  return timeless(isCut ? await asker.ask(packet, { transport: 'tcp', waitMs }) : short)
}

function timeless(reply: Reply): string {
  if (typeof reply === 'string') return reply
  const bytes = Buffer.from(reply)
  bytes.writeUInt16BE(0)
  // A negative answer ends with the SOA, and that with five numbers, of which the serial is the first: a clock.
  const hasSoa = bytes.readUInt16BE(6) === 0 && bytes.readUInt16BE(8) === 1
  if (hasSoa) bytes.writeUInt32BE(0, bytes.length - 20)
  return bytes.toString('hex')
}

function block(start: string, count: number): string[] {
  return Array.from({ length: count * 256 }, (_, n) => `${start}.${n >> 8}.${n & 255}`)
}

async function listed(client: ApiClient, path: string): Promise<readonly ApiObject[]> {
  const { text } = await client.send('GET', path)
  return JSON.parse(text).items
}
