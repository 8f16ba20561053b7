/** A name server of the outside, which knows every name. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { decode, encode, RECURSION_AVAILABLE } from 'dns-packet'

export async function startUpstream(address: string): Promise<AsyncDisposable> {
  const socket = createSocket('udp4')
  socket.on('message', (octets, { address, port }) => {
    const { id = 0, questions = [] } = decode(octets)
    const answers = questions.flatMap(({ name, type }) =>
      type === 'A' ? [{ name, type, ttl: 1, data: '198.51.100.7' } as const] : [],
    )
    socket.send(encode({ type: 'response', id, flags: RECURSION_AVAILABLE, questions, answers }), port, address)
  })
  socket.bind(53, address)
  await once(socket, 'listening')
  return {
    async [Symbol.asyncDispose]() {
      socket.close()
    },
  }
}
