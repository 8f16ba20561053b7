/**
 * The least that a DNS server on Node's own sockets does: reads the question of each packet and sends it back with one fixed A
 * record. What a server on the same sockets needs beyond this is its own price. Argument: the port on 127.0.0.1.
 */
import { createSocket } from 'node:dgram'

const headerSize = 12
// Points at the question; A, IN, 30 seconds, 192.0.2.1.
const record = Uint8Array.of(0xc0, headerSize, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 1)

// The options that the server's own listener sets.
const socket = createSocket({ type: 'udp4', lookup: (ip, _options, done) => done(null, ip, 4) })

socket.on('message', (packet, from) => {
  let end = headerSize
  while (end < packet.length && packet[end] !== 0) end += packet[end]! + 1
  end += 5
  if (end > packet.length) return
  const reply = Buffer.allocUnsafe(end + record.length)
  reply.set(packet.subarray(0, end))
  // QR and AA beside what was asked; one question and one answer.
  reply[2] = packet[2]! | 0x84
  reply[3] = 0
  reply.fill(0, 6, headerSize)
  reply[7] = 1
  reply.set(record, end)
  socket.send(reply, from.port, from.address)
})

socket.bind(Number(process.argv[2]), '127.0.0.1', () => socket.setRecvBufferSize(4 << 20))
process.once('SIGTERM', () => socket.close())
