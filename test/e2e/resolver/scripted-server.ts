/** A DNS server that does what a script says, over UDP and TCP at port 53. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode, RECURSION_AVAILABLE, TRUNCATED_RESPONSE } from 'dns-packet'
import { framed, MessageStream } from '../../../src/net/message-stream.ts'
import { type Action, actionFor, addresses, reactionTo, type Script } from './script.ts'

const PORT = 53

/** Resolves once both sockets are open. `server` is its number in the script. */
export async function scriptedServer(address: string, server: number, script: Script): Promise<AsyncDisposable> {
  const udp = createSocket('udp4')
  udp.on('message', (packet, { port, address: client }) => {
    const reply = replyTo(packet, 'udp', server, script)
    if (Buffer.isBuffer(reply)) udp.send(reply, port, client)
  })
  const tcp = createServer(connection => {
    const stream = new MessageStream()
    connection.on('data', chunk => {
      for (const packet of stream.push(Buffer.from(chunk))) {
        const reply = replyTo(packet, 'tcp', server, script)
        if (reply === 'closed') connection.end()
        else if (reply !== undefined) connection.write(framed(reply))
      }
    })
    // A client that has what it wants may leave in any way.
    connection.on('error', () => connection.destroy())
  })
  udp.bind(PORT, address)
  tcp.listen(PORT, address)
  await Promise.all([once(udp, 'listening'), once(tcp, 'listening')])
  return {
    async [Symbol.asyncDispose]() {
      const closed = Promise.all([once(udp, 'close'), once(tcp, 'close')])
      udp.close()
      tcp.close()
      await closed
    },
  }
}

function replyTo(
  packet: Buffer,
  transport: 'udp' | 'tcp',
  server: number,
  script: Script,
): Buffer | 'closed' | undefined {
  const { id, questions = [] } = decode(packet)
  const { name, type } = questions[0]!
  if (type !== 'A' && type !== 'AAAA') return undefined
  const action = actionFor(script, { name, type, server, transport })
  const reaction = reactionTo(action, { type, transport })
  if (reaction === 'closed') return reaction
  if (typeof reaction === 'string') return undefined
  const flags =
    reaction.rcode |
    (reaction.truncated ? TRUNCATED_RESPONSE : 0) |
    (reaction.lame ? 0 : AUTHORITATIVE_ANSWER | RECURSION_AVAILABLE)
  const answers = reaction.answers === 0 ? [] : answersOf(action, name, type)
  return encode({ type: 'response', id, flags, questions, answers })
}

function answersOf(action: Action, name: string, type: 'A' | 'AAAA'): Answer[] {
  const alias = action === 'alias' || action === 'dangling' ? 'target.test' : undefined
  const links: Answer[] = alias === undefined ? [] : [{ name, type: 'CNAME', ttl: 5, data: alias }]
  if (action === 'dangling') return links
  return [...links, { name: alias ?? name, type, ttl: 5, data: addresses[type] }]
}
