/**
 * Hears from the kernel itself which elements of nftables come and go: the netlink messages behind `nft monitor`, which with so many
 * rules does not begin to tell for a minute.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import koffi from 'koffi'
import { PortolanError } from '../../../src/errors.ts'
import type { Change } from './cluster.ts'

const [AF_NETLINK, SOCK_RAW, SOCK_NONBLOCK, NETLINK_NETFILTER] = [16, 3, 0x800, 12]
const [SOL_SOCKET, SO_RCVBUFFORCE] = [1, 33]
/** Bit of the multicast group NFNLGRP_NFTABLES. */
const NFTABLES_GROUP = 1 << 6
const NFNL_SUBSYS_NFTABLES = 10
const messages = { added: (NFNL_SUBSYS_NFTABLES << 8) | 12, deleted: (NFNL_SUBSYS_NFTABLES << 8) | 14 }
/** Octets before a message's content: nlmsghdr. */
const HEADER = 16
/** Room for what one load of all rules tells, so that nothing is lost. */
const bufferSize = 256 * 2 ** 20
const pollMs = 1

const libc = koffi.load('libc.so.6')
const socket = libc.func('int socket(int, int, int)')
const bind = libc.func('int bind(int, const void *, uint)')
const setsockopt = libc.func('int setsockopt(int, int, int, const void *, uint)')
const recv = libc.func('long recv(int, _Out_ void *, size_t, int)')
const close = libc.func('int close(int)')

export class KernelWatch implements Disposable {
  readonly #socket: number
  readonly #buffer = Buffer.alloc(2 ** 20)

  constructor() {
    this.#socket = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_NETFILTER)
    const size = Buffer.alloc(4)
    size.writeInt32LE(bufferSize)
    // sockaddr_nl: family, padding, port (the kernel chooses one), groups.
    const address = Buffer.alloc(12)
    address.writeUInt16LE(AF_NETLINK, 0)
    address.writeUInt32LE(NFTABLES_GROUP, 8)
    const set = setsockopt(this.#socket, SOL_SOCKET, SO_RCVBUFFORCE, size, size.length)
    if (set !== 0 || bind(this.#socket, address, address.length) !== 0)
      throw new PortolanError('PORTOLAN_BENCH_MONITOR', 'the kernel does not tell of changes of nftables')
  }

  /** From now on; what it returns resolves to when the kernel told of the change (to the millisecond or so). */
  expect(withinMs: number): (change: Change) => Promise<number> {
    while (this.#next() !== undefined);
    return async change => {
      const type = change.kind === 'removed' ? messages.deleted : messages.added
      const address = Buffer.from(change.address.split('.').map(Number))
      const deadline = performance.now() + withinMs
      for (;;) {
        const datagram = this.#next()
        if (datagram !== undefined && tells(datagram, type, address)) return performance.now()
        if (performance.now() > deadline)
          throw new PortolanError('PORTOLAN_BENCH_LATE', `the kernel has not had a change of ${change.service} in time`)
        if (datagram === undefined) await sleep(pollMs)
      }
    }
  }

  [Symbol.dispose](): void {
    close(this.#socket)
  }

  #next(): Buffer | undefined {
    const length = Number(recv(this.#socket, this.#buffer, this.#buffer.length, 0))
    return length > 0 ? this.#buffer.subarray(0, length) : undefined
  }
}

/** Whether one of the datagram's messages is of this type and holds the address. */
function tells(datagram: Buffer, type: number, address: Buffer): boolean {
  for (let at = 0; at + HEADER <= datagram.length; ) {
    const length = datagram.readUInt32LE(at)
    if (datagram.readUInt16LE(at + 4) === type && datagram.subarray(at + HEADER, at + length).includes(address))
      return true
    at += Math.max(HEADER, (length + 3) & ~3)
  }
  return false
}
