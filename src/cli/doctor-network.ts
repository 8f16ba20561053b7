/** What `portolan doctor` sends: questions to name servers, and connections that are closed at once. */
import { randomInt } from 'node:crypto'
import { connect } from 'node:net'
import { decode, encode, RECURSION_DESIRED } from 'dns-packet'
import type { Heard, Network, Transport } from '../client/doctor/world.ts'
import { messageOf, PortolanError } from '../errors.ts'
import type { Clock } from '../observe/clock.ts'
import { rcodeName } from '../wire/types.ts'
import { askOverTcp, askOverUdp } from './exchange.ts'

/** Over UDP twice this long. A server that forwards to a dead one says so in no less. */
const patienceMs = 2_500

export function networkFrom(from: string, clock: Clock): Network {
  return {
    from,
    ask: (server, port, transport, name, type = 'A') => ask({ host: server, port }, transport, name, type, clock),
    connect: (ip, port) => opened(ip, port, clock),
  }
}

interface Address {
  readonly host: string
  readonly port: number
}

async function ask(at: Address, transport: Transport, name: string, type: 'A' | 'AAAA', clock: Clock): Promise<Heard> {
  const query = encode({ type: 'query', id: randomInt(0x10000), flags: RECURSION_DESIRED, questions: [{ name, type }] })
  try {
    const reply = await (transport === 'udp' ? askOverUdp : askOverTcp)(query, at, clock, patienceMs)
    const { flags = 0, answers = [] } = decode(reply)
    const addresses = answers.flatMap(answer => (answer.type === type ? [`${answer.data}`] : []))
    return { rcode: rcodeName(flags & 15), addresses }
  } catch (error) {
    return { silence: silenceOf(error) }
  }
}

/** Whatever else is thrown comes of octets that are no message. */
function silenceOf(error: unknown): string {
  if (!(error instanceof PortolanError)) return 'its reply cannot be read'
  if (error.code === 'PORTOLAN_QUERY_TIMEOUT') return 'no reply'
  return reasonOf(error.cause)
}

function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return code === 'ECONNREFUSED' ? 'nothing listens there' : messageOf(cause)
}

async function opened(ip: string, port: number, clock: Clock): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const socket = connect(port, ip)
  socket.once('connect', () => resolve(undefined))
  socket.once('error', error => resolve(reasonOf(error)))
  const timer = clock.after(patienceMs, () => resolve('no reply'))
  return promise.finally(() => {
    timer.cancel()
    socket.destroy()
  })
}
