/** A UDP client of a listener, for its contract: receives replies in the order they come. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import type { Client } from '../contract/listener.ts'

export async function connect(port: number, address = '127.0.0.1'): Promise<Client> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
  socket.connect(port, address)
  await once(socket, 'connect')
  const received: Buffer[] = []
  let waiting: ((reply: Buffer) => void) | undefined
  socket.on('message', reply => {
    if (waiting) waiting(reply)
    else received.push(reply)
    waiting = undefined
  })
  return {
    send(...messages) {
      for (const message of messages) socket.send(message)
    },
    async receive() {
      const reply = received.shift()
      return reply ?? new Promise<Buffer>(resolve => (waiting = resolve))
    },
    close: () => socket.close(),
  }
}
