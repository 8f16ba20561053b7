/**
 * A whole server in one process without sockets: the Corefile's plugins are set up and started as in production, and `ask`
 * takes a question and gives the answer as text.
 */
import { decode as decodePacket, type Answer as PacketAnswer } from 'dns-packet'
import type { ClusterState } from '../../src/cluster/state.ts'
import { type HttpHub, httpHub } from '../../src/net/http-hub.ts'
import type { Random } from '../../src/observe/clock.ts'
import { type Logger, logger } from '../../src/observe/logger.ts'
import { type Metrics, metrics } from '../../src/observe/metrics.ts'
import type { PluginDefinition, Resources } from '../../src/plugin/plugin.ts'
import { plugins as known } from '../../src/plugins/index.ts'
import { Instance } from '../../src/server/instance.ts'
import { ResourcePool } from '../../src/server/resources.ts'
import { responder } from '../../src/server/respond.ts'
import type { Spaces } from '../../src/table/contract.ts'
import { nameFromText } from '../../src/wire/name.ts'
import type { Peer } from '../../src/wire/query.ts'
import { rcodeName, typeNumber } from '../../src/wire/types.ts'
import { type TestClock, testClock } from './clock.ts'
import { sharedCluster } from './cluster.ts'

/** What a test of tap offers that is used here. */
interface Test {
  teardown(task: () => Promise<void> | void): void
}

export interface ServeOptions {
  /** The cluster that every `kubernetes` plugin without a source of its own answers from. */
  readonly cluster?: ClusterState
  /** Resolves when it is known in full; it is from the start, unless given. */
  readonly synced?: Promise<void>
  readonly clock?: TestClock
  readonly random?: Random
  /** Plugins beside (or instead of) the product's own, by name. */
  readonly plugins?: readonly PluginDefinition[]
  /** Plugins instead of the product's own, by name, at the same place in the order. */
  readonly inPlace?: readonly PluginDefinition[]
  /** The Corefile's path, for relative paths in it. */
  readonly file?: string
  readonly env?: Readonly<Record<string, string>>
  /** Closed by who gives it. */
  readonly http?: HttpHub
  readonly fail?: (reason: Error) => void
  /** What plugins publish in, and what happens when that changes. */
  readonly table?: Spaces
  readonly republish?: () => void
  readonly reload?: () => Promise<boolean>
  readonly corefileChanged?: () => Promise<boolean>
}

export interface AskOptions {
  readonly protocol?: 'udp' | 'tcp'
  /** With EDNS, and this size. */
  readonly size?: number
  readonly dnssecOk?: boolean
  /** Header bits of the query; RD alone by default. */
  readonly bits?: number
  readonly class?: number
  readonly client?: string
  readonly port?: number
}

export interface Served {
  /**
   * Asks `NAME TYPE` and gives the records of the answer section, one a line and sorted, or else the response code; NODATA where
   * that is NOERROR.
   */
  ask(question: string, options?: AskOptions): Promise<string>
  /** The response itself; undefined for silence. */
  exchange(packet: Uint8Array, options?: AskOptions): Promise<Buffer | undefined>
  readonly clock: TestClock
  readonly log: string[]
  readonly metrics: Metrics
  readonly instance: Instance
  readonly logger: Logger
}

export async function serve(t: Test, corefile: string, options: ServeOptions = {}): Promise<Served> {
  const { clock = testClock(), random = () => 0.5, file = 'Corefile', env = {} } = options
  const lines: string[] = []
  const log = logger({ format: 'text', write: line => lines.push(line.trimEnd()) })
  const registry = metrics()
  const http = options.http ?? httpHub()
  const generation = new ResourcePool().generation()
  const own = options.plugins ?? []
  const names = new Set(own.map(plugin => plugin.name))
  const inPlace = (plugin: PluginDefinition) => options.inPlace?.find(({ name }) => name === plugin.name) ?? plugin
  const instance = Instance.load(
    corefile,
    { file, env },
    {
      plugins: [...known.filter(plugin => !names.has(plugin.name)).map(inPlace), ...own],
      clock,
      random,
      log,
      metrics: registry,
      http,
      resources: options.cluster ? withCluster(generation, options.cluster, options.synced) : generation,
      dropped: () => () => undefined,
      table: options.table,
      republish: options.republish,
      control: {
        corefileChanged: options.corefileChanged ?? (async () => false),
        reload: options.reload ?? (async () => true),
        fail:
          options.fail ??
          (reason => {
            throw reason
          }),
      },
    },
  )
  t.teardown(async () => {
    await instance.stop()
    await generation.release()
    await http.close()
  })
  await instance.start()
  const panics = registry.counter('coredns_panics_total', 'Errors of our own while answering.', []).of()
  const respond = responder({ router: () => instance.router(instance.endpoints[0]!)!, log, panics })

  const exchange = async (packet: Uint8Array, asked: AskOptions = {}) => {
    const response = await respond(packet, peerOf(asked))
    return response && Buffer.from(response)
  }
  return {
    exchange,
    async ask(question, asked = {}) {
      const response = await exchange(questionPacket(question, asked), asked)
      return response === undefined ? 'silence' : answerText(response)
    },
    clock,
    log: lines,
    metrics: registry,
    instance,
    logger: log,
  }
}

function peerOf({ protocol = 'udp', client = '127.0.0.1', port = 40_000 }: AskOptions): Peer {
  return { protocol, address: client, port, localAddress: '127.0.0.1', localPort: 53 }
}

/** The octets of a query for `NAME TYPE`. */
export function questionPacket(question: string, options: AskOptions = {}): Buffer {
  const [nameText = '', typeText = 'A'] = question.split(' ')
  const name = nameFromText(nameText)
  const type = typeNumber(typeText)
  if (name === undefined || type === undefined) throw new Error(`not a question: ${question}`)
  const { size, dnssecOk = false, bits = 0x0100 } = options
  const withOpt = size !== undefined || dnssecOk
  const packet = Buffer.alloc(12 + name.length + 4 + (withOpt ? 11 : 0))
  packet.writeUInt16BE(0x1234, 0)
  packet.writeUInt16BE(bits, 2)
  packet.writeUInt16BE(1, 4)
  packet.set(name, 12)
  packet.writeUInt16BE(type, 12 + name.length)
  packet.writeUInt16BE(options.class ?? 1, 14 + name.length)
  if (withOpt) {
    packet.writeUInt16BE(1, 10)
    const at = 16 + name.length
    packet.writeUInt16BE(41, at + 1)
    packet.writeUInt16BE(size ?? 1232, at + 3)
    packet.writeUInt16BE(dnssecOk ? 0x8000 : 0, at + 7)
  }
  return packet
}

/** The answer section as text, or the response code. */
export function answerText(response: Buffer): string {
  const packet = decodePacket(response)
  const rcode = response.readUInt16BE(2) & 15
  const records = (packet.answers ?? []).map(recordText)
  const truncated = (response[2]! & 2) !== 0 ? ['(truncated)'] : []
  if (records.length > 0) return [...records.sort(), ...truncated].join('\n')
  return truncated[0] ?? (rcode === 0 ? 'NODATA' : rcodeName(rcode))
}

/** One record as in a zone file. */
export function recordText(record: PacketAnswer): string {
  const head = `${record.name}. ${'ttl' in record ? (record.ttl ?? 0) : 0} ${'class' in record ? (record.class ?? 'IN') : 'IN'} ${record.type}`
  return `${head} ${dataText(record)}`
}

function dataText(record: PacketAnswer): string {
  switch (record.type) {
    case 'CNAME':
    case 'PTR':
    case 'NS':
      return `${record.data}.`
    case 'SRV':
      return `${record.data.priority ?? 0} ${record.data.weight ?? 0} ${record.data.port} ${record.data.target}.`
    case 'MX':
      return `${record.data.preference ?? 0} ${record.data.exchange}.`
    case 'TXT':
      return [record.data]
        .flat()
        .map(text => JSON.stringify(text.toString()))
        .join(' ')
    case 'A':
    case 'AAAA':
      return record.data
    case 'SOA': {
      const { mname, rname, serial, refresh, retry, expire, minimum } = record.data
      return `${mname}. ${rname}. ${serial} ${refresh} ${retry} ${expire} ${minimum}`
    }
    default:
      return 'data' in record ? JSON.stringify(record.data) : ''
  }
}

/** Resources in which every cluster is the given one, known in full when `synced` resolves. */
export function withCluster(resources: Resources, state: ClusterState, synced = Promise.resolve()): Resources {
  const follower = {
    ...sharedCluster(state, synced),
    follow: async () => undefined,
    status: () => [],
    close: () => undefined,
  }
  return {
    share: (key, create) =>
      key.startsWith('cluster ') ? (follower as unknown as ReturnType<typeof create>) : resources.share(key, create),
  }
}
