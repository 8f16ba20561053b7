/**
 * Holds a network namespace for as long as its standard input is open, with the nfacct objects that kube-proxy's rules count in. A program
 * of its own, since the kernel takes those through netlink only. Says `ready` when they are there.
 */
import koffi from 'koffi'
import { counters } from '../../../src/routes/render/iptables-frame.ts'

for (const name of Object.values(counters)) createCounter(name)
process.stdout.write('ready\n')
process.stdin.resume()

/** Creates a netfilter accounting object. Throws where the kernel refuses. */
function createCounter(name: string): void {
  const [AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER] = [16, 3, 12]
  const [NFNL_SUBSYS_ACCT, NFACCT_NAME] = [7, 1]
  const [NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE] = [1, 4, 0x400]
  const libc = koffi.load('libc.so.6')
  const socket = libc.func('int socket(int, int, int)')
  const send = libc.func('long send(int, const void *, size_t, int)')
  const recv = libc.func('long recv(int, _Out_ void *, size_t, int)')
  const text = Buffer.from(`${name}\0`)
  const padded = Buffer.concat([text, Buffer.alloc(-text.length & 3)])
  const message = Buffer.alloc(24)
  message.writeUInt32LE(message.length + padded.length, 0)
  message.writeUInt16LE(NFNL_SUBSYS_ACCT << 8, 4)
  message.writeUInt16LE(NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, 6)
  // Behind it: sequence number, port, and the header of nfnetlink, all zeros.
  message.writeUInt16LE(4 + text.length, 20)
  message.writeUInt16LE(NFACCT_NAME, 22)
  const request = Buffer.concat([message, padded])
  const reply = Buffer.alloc(1024)
  const fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER)
  const received = send(fd, request, request.length, 0) > 0 && recv(fd, reply, reply.length, 0) >= 20
  const error = received ? reply.readInt32LE(16) : -1
  if (error !== 0) throw new Error(`nfacct ${name}: error ${error}`)
}
