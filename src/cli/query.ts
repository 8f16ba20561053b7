/** `portolan query`: asks a name server one question and shows the reply as dig does. */
import { randomInt } from 'node:crypto'
import { type DecodedPacket, decode, encode, RECURSION_DESIRED, type RecordType } from 'dns-packet'
import { ednsOffer } from '../client/resolver/edns-offer.ts'
import { libcs } from '../client/resolver/resolver-config.ts'
import { parseHostPort } from '../corefile/addresses.ts'
import { hint } from '../corefile/nearest.ts'
import { PortolanError } from '../errors.ts'
import { nameFromText } from '../wire/name.ts'
import { Type, typeNumber } from '../wire/types.ts'
import { type Arguments, usageError } from './arguments.ts'
import { type Command, Exit } from './command.ts'
import { askOverTcp, askOverUdp, type NameServer, serverText } from './exchange.ts'
import type { Walked } from './query-walk.ts'
import { replyText, shortText } from './reply-text.ts'
import { systemServer } from './resolv-conf-file.ts'
import type { Shell } from './shell.ts'

interface Asked {
  readonly name: string
  /** Undefined where none was given, and so with `server`. */
  readonly type: number | undefined
  readonly server: NameServer | undefined
  readonly port: number
  readonly tcp: boolean
  readonly short: boolean
  readonly search: boolean
}

type Complete = Asked & { readonly type: number; readonly server: NameServer }

/** The reply size that is offered over UDP: what passes everywhere in one piece. */
const UDP_SIZE = 1232

export const query: Command = {
  name: 'query',
  summary: 'asks a name server one question',
  synopsis: 'NAME [TYPE] [@SERVER[:PORT]] [+tcp] [+short] [+search]',
  words: Number.POSITIVE_INFINITY,
  options: {
    port: { value: 'PORT', alias: ['p'], help: 'the port of the server (53)' },
    from: { value: 'NAMESPACE/POD', help: 'asks with the resolv.conf that this pod has, as +search does' },
    'resolv-conf': { value: 'FILE', help: "+search: the resolv.conf (/etc/resolv.conf); -from: the node's (unknown)" },
    libc: { value: 'NAME', help: `+search, -from: whose walk is taken: ${libcs.join(', ')} (glibc)` },
    manifests: { value: 'PATH', help: '-from: the cluster that a folder, or a file, of manifests makes' },
    kubeconfig: { value: 'FILE', help: '-from: the cluster that it leads to ($KUBECONFIG, ~/.kube/config)' },
    context: { value: 'NAME', help: 'of the kubeconfig (its current one)' },
    'cluster-dns': { value: 'ADDRESS', help: '-from: what kubelets are told (that of kube-system/kube-dns)' },
    'cluster-domain': { value: 'DOMAIN', help: '-from: and this (cluster.local)' },
  },
  notes: `NAME is taken as it stands: no search list is tried. TYPE is A if it is left out.
SERVER is the first one of /etc/resolv.conf if it is left out.
The exit code is 0 for any reply, also for one that says no, and 1 if there is none.
With +search or -from it asks as programs do: for A and AAAA if TYPE is left out, through the search list, each question on a line.
SERVER then takes the place of all servers of the resolv.conf. The exit code is 0 if the name leads to an address, otherwise 1.`,
  async run(given, shell) {
    const question = readQuestion(given)
    if (question.search) {
      // Loaded where it is asked for: a server needs none of it.
      const { walkQuery } = await import('./query-walk.ts')
      return walkQuery(walked(question), given, shell)
    }
    const asked = {
      ...question,
      type: question.type ?? Type.A,
      server: question.server ?? { host: systemServer(), port: question.port },
    }
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
  const [name, type, extra] = names
  if (name === undefined) throw usageError('which name is to be asked for?')
  if (extra !== undefined) throw usageError(`"${extra}" is one argument too many`)
  if (nameFromText(name) === undefined) throw usageError(`not a name: "${name}"`)
  return {
    name,
    type: type === undefined ? undefined : typeNamed(type),
    server,
    port: given.port('port', 53),
    tcp: flags.has('+tcp'),
    short: flags.has('+short'),
    search: flags.has('+search') || given.has('from'),
  }
}

function typeNamed(text: string): number {
  const number = typeNumber(text)
  if (number === undefined) throw usageError(`unknown type "${text}"${hint(text.toUpperCase(), Object.keys(Type))}`)
  return number
}

/** What only a program asks for: addresses. */
function walked({ name, type, server, port, short, tcp }: Asked): Walked {
  if (tcp) throw usageError("+tcp is the resolv.conf's to say here: `options use-vc`")
  if (type !== undefined && type !== Type.A && type !== Type.AAAA)
    throw usageError('with +search or -from the type is A or AAAA, or both if it is left out')
  const types = (['A', 'AAAA'] as const).filter(each => type === undefined || Type[each] === type)
  return { name, types, server, port, short }
}

function flagNamed(word: string): string {
  const known = ['+tcp', '+short', '+search']
  if (!known.includes(word))
    throw usageError(`unknown flag "${word}"${hint(word, known) || ` (there are ${known.join(', ')})`}`)
  return word
}

function serverNamed(text: string, port: number): NameServer {
  const server = parseHostPort(text, port)
  if (server === undefined || server.host === '') throw usageError(`@${text}: not a server; write @HOST or @HOST:PORT`)
  return server
}

/** Over UDP, and over TCP where that was asked for or the reply was cut short. */
async function exchange({ name, type, server, tcp }: Complete, { clock, err }: Shell) {
  // dns-packet's own spelling of a type by its number.
  const question = { name, type: `UNKNOWN_${type}` as RecordType }
  const packet = encode({
    type: 'query',
    id: randomInt(0x10000),
    flags: RECURSION_DESIRED,
    questions: [question],
    additionals: [ednsOffer(UDP_SIZE)],
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
