/** What goes to port 53 on loopback, as tcpdump sees it: the order on the wire, whoever the server is and whether there is one. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { decode } from 'dns-packet'
import { MessageStream } from '../../../src/net/message-stream.ts'

/** A query as it was sent. */
export interface Captured {
  readonly server: string
  readonly transport: 'udp' | 'tcp'
  /** The client's. */
  readonly port: number
  readonly name: string
  readonly type: string
  readonly edns: boolean
  readonly ad: boolean
}

const FILTER = 'dst port 53 and (udp or tcp)'

export class Capture {
  readonly #file: string
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>

  private constructor(file: string, child: ChildProcess) {
    this.#file = file
    this.#child = child
    this.#ended = new Promise(resolve => child.once('exit', resolve))
  }

  /** Resolves once it sees what is sent. */
  static async start(file: string): Promise<Capture> {
    const args = ['-i', 'lo', '-Z', 'root', '--immediate-mode', '-U', '-B', '16384', '-w', file, FILTER]
    const child = spawn('tcpdump', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    process.once('exit', () => child.kill('SIGKILL'))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('listening on')) resolve()
    })
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`tcpdump: ${said}`)))
    await promise
    return new Capture(file, child)
  }

  /** Ends it; resolves to all queries in the order of their sending. */
  async stop(): Promise<Captured[]> {
    this.#child.kill('SIGINT')
    await this.#ended
    return queriesIn(readFileSync(this.#file))
  }
}

const FILE_HEADER = 24
const PACKET_HEADER = 16
const ETHERNET = 14
const UDP = 17

/** Of a pcap file in this machine's order of octets, with Ethernet headers. */
function queriesIn(file: Buffer): Captured[] {
  const streams = new Map<string, MessageStream>()
  const queries: Captured[] = []
  for (let at = FILE_HEADER; at + PACKET_HEADER <= file.length; ) {
    const length = file.readUInt32LE(at + 8)
    const packet = file.subarray(at + PACKET_HEADER + ETHERNET, at + PACKET_HEADER + length)
    at += PACKET_HEADER + length
    queries.push(...queriesOf(packet, streams))
  }
  return queries
}

/** Of an IPv4 packet. */
function queriesOf(packet: Buffer, streams: Map<string, MessageStream>): Captured[] {
  if (packet[0]! >> 4 !== 4) return []
  const segment = packet.subarray((packet[0]! & 15) * 4, packet.readUInt16BE(2))
  const server = [...packet.subarray(16, 20)].join('.')
  const port = segment.readUInt16BE(0)
  if (packet[9] === UDP) return [captured(segment.subarray(8), server, 'udp', port)]
  const payload = segment.subarray((segment[12]! >> 4) * 4)
  if (payload.length === 0) return []
  const key = `${server} ${port}`
  const stream = streams.get(key) ?? new MessageStream()
  streams.set(key, stream)
  return stream.push(payload).map(message => captured(message, server, 'tcp', port))
}

function captured(message: Buffer, server: string, transport: 'udp' | 'tcp', port: number): Captured {
  const { questions = [], additionals = [], flag_ad } = decode(message)
  const { name = '', type = '' } = questions[0] ?? {}
  const edns = additionals.some(record => record.type === 'OPT')
  return { server, transport, port, name, type, edns, ad: flag_ad }
}
