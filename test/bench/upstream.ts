/**
 * What the servers forward to: every name has the same A record, and of every other type there is nothing (NXDOMAIN with a SOA).
 * A process of its own, so that its work is nobody else's. Argument: the port on 127.0.0.1.
 */
import { createSocket } from 'node:dgram'

const headerSize = 12
const typeA = 1
const [noError, nxDomain] = [0, 3]
// Points at the question; A, IN, 300 seconds, 192.0.2.44.
const record = Uint8Array.of(0xc0, headerSize, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 44)
// The root; SOA, IN, 300 seconds: root and root, serial 1, refresh, retry, expire, and 300 seconds for what does not exist.
const authority = Uint8Array.of(
  0,
  0,
  6,
  0,
  1,
  0,
  0,
  1,
  44,
  0,
  22,
  0,
  0,
  0,
  0,
  0,
  1,
  ...new Array(12).fill(0),
  0,
  0,
  1,
  44,
)

const socket = createSocket({ type: 'udp4', lookup: (ip, _options, done) => done(null, ip, 4) })

socket.on('message', (packet, from) => {
  let end = headerSize
  while (end < packet.length && packet[end] !== 0) end += packet[end]! + 1
  end += 5
  if (end > packet.length) return
  const exists = packet.readUInt16BE(end - 4) === typeA
  const data = exists ? record : authority
  const reply = Buffer.alloc(end + data.length)
  reply.set(packet.subarray(0, end))
  // QR beside what was asked, RA; one question and one record.
  reply[2] = packet[2]! | 0x80
  reply[3] = 0x80 | (exists ? noError : nxDomain)
  reply.writeUInt16BE(exists ? 1 : 0, 6)
  reply.writeUInt16BE(exists ? 0 : 1, 8)
  reply.writeUInt16BE(0, 10)
  reply.set(data, end)
  socket.send(reply, from.port, from.address)
})

socket.bind(Number(process.argv[2]), '127.0.0.1', () => socket.setRecvBufferSize(4 << 20))
process.once('SIGTERM', () => socket.close())
