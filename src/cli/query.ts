/** `portolan query`: asks a name server one question and shows the reply as dig does. */
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type DecodedPacket, decode, encode, RECURSION_DESIRED, type RecordType } from 'dns-packet'
import { parseHostPort } from '../corefile/addresses.ts'
import { hint } from '../corefile/nearest.ts'
import { messageOf, PortolanError } from '../errors.ts'
import { nameFromText } from '../wire/name.ts'
import { Type, typeNumber } from '../wire/types.ts'
import { type Arguments, usageError } from './arguments.ts'
import { type Command, Exit } from './command.ts'
import { askOverTcp, askOverUdp, type NameServer, serverText } from './exchange.ts'
import { replyText, shortText } from './reply-text.ts'
import type { Shell } from './shell.ts'

interface Asked {
  readonly name: string
  readonly type: number
  readonly server: NameServer
  readonly tcp: boolean
  readonly short: boolean
}

/** The reply size that is offered over UDP: what passes everywhere in one piece. */
const UDP_SIZE = 1232

export const query: Command = {
  name: 'query',
  summary: 'asks a name server one question',
  synopsis: 'NAME [TYPE] [@SERVER[:PORT]] [+tcp] [+short]',
  words: Number.POSITIVE_INFINITY,
  options: { port: { value: 'PORT', alias: ['p'], help: 'the port of the server (53)' } },
  notes: `NAME is taken as it stands: no search list is tried. TYPE is A if it is left out.
SERVER is the first one of /etc/resolv.conf if it is left out.
The exit code is 0 for any reply, also for one that says no, and 1 if there is none.`,
  async run(given, shell) {
    const asked = readQuestion(given)
    const started = shell.clock.monotonic()
    const { octets, protocol } = await exchange(asked, shell)
    const reply = decoded(octets, asked.server)
    const ms = Math.round(shell.clock.monotonic() - started)
    shell.out(asked.short ? shortText(reply) : replyText(reply))
    if (!asked.short) {
      shell.out(`;; Query time: ${ms} msec\n;; SERVER: ${serverText(asked.server)} (${protocol})\n`)
      shell.out(`;; MSG SIZE  rcvd: ${octets.length}\n`)
    }
    return Exit.done
  },
}

function readQuestion(given: Arguments): Asked {
  const names: string[] = []
  const flags = new Set<string>()
  let server: NameServer | undefined
  for (const word of given.words) {
    if (word.startsWith('@')) server = serverNamed(word.slice(1), given.port('port', 53))
    else if (word.startsWith('+')) flags.add(flagNamed(word))
    else names.push(word)
  }
  const [name, type = 'A', extra] = names
  if (name === undefined) throw usageError('which name is to be asked for?')
  if (extra !== undefined) throw usageError(`"${extra}" is one argument too many`)
  if (nameFromText(name) === undefined) throw usageError(`not a name: "${name}"`)
  const number = typeNumber(type)
  if (number === undefined) throw usageError(`unknown type "${type}"${hint(type.toUpperCase(), Object.keys(Type))}`)
  return {
    name,
    type: number,
    server: server ?? { host: systemServer(), port: given.port('port', 53) },
    tcp: flags.has('+tcp'),
    short: flags.has('+short'),
  }
}

function flagNamed(word: string): string {
  const known = ['+tcp', '+short']
  if (!known.includes(word))
    throw usageError(`unknown flag "${word}"${hint(word, known) || ` (there are ${known.join(', ')})`}`)
  return word
}

function serverNamed(text: string, port: number): NameServer {
  const server = parseHostPort(text, port)
  if (server === undefined || server.host === '') throw usageError(`@${text}: not a server; write @HOST or @HOST:PORT`)
  return server
}

function systemServer(): string {
  try {
    const [, host] = /^nameserver\s+(\S+)/m.exec(readFileSync('/etc/resolv.conf', 'utf8')) ?? []
    if (host !== undefined) return host
  } catch (error) {
    throw usageError(`cannot read /etc/resolv.conf (${messageOf(error)}): say which server with @SERVER`)
  }
  throw usageError('/etc/resolv.conf names no server: say which with @SERVER')
}

/** Over UDP, and over TCP where that was asked for or the reply was cut short. */
async function exchange({ name, type, server, tcp }: Asked, { clock, err }: Shell) {
  // dns-packet's own spelling of a type by its number.
  const question = { name, type: `UNKNOWN_${type}` as RecordType }
  const offer = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: UDP_SIZE,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
  } as const
  const packet = encode({
    type: 'query',
    id: randomInt(0x10000),
    flags: RECURSION_DESIRED,
    questions: [question],
    additionals: [{ ...offer, flag_do: false, options: [] }],
  })
  if (!tcp) {
    const octets = await askOverUdp(packet, server, clock)
    const truncated = (octets[2]! & 2) !== 0
    if (!truncated) return { octets, protocol: 'udp' }
    err(';; the reply was truncated: asking again over TCP\n')
  }
  return { octets: await askOverTcp(packet, server, clock), protocol: 'tcp' }
}

function decoded(octets: Buffer, server: NameServer): DecodedPacket {
  try {
    return decode(octets)
  } catch (cause) {
    throw new PortolanError('PORTOLAN_QUERY_MALFORMED', `the reply of ${serverText(server)} cannot be read`, { cause })
  }
}
