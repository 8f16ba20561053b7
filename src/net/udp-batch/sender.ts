/**
 * Replies that were not made in an answer thread, sent by the control thread on the sockets that their requests came from: many
 * with each system call. What they say is left to others.
 */
import {
  AF_INET,
  BATCH,
  Block,
  Control,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_PKTINFO,
  SLOT,
  SLOT_STRIDE,
  Sockaddr,
} from './layout.ts'
import { EINVAL, EMSGSIZE, type Libc } from './libc.ts'
import { ORIGIN, ORIGIN_LOCAL } from './origin.ts'
import { Outgoing } from './outgoing.ts'
import { PinnedMemory } from './pinned-memory.ts'

export class Sender {
  readonly #memory: PinnedMemory
  readonly #octets: Uint8Array
  readonly #view: DataView
  readonly #outgoing: Outgoing
  /** The socket of all that is queued. */
  #fd = -1

  /** Replies that cannot be sent are counted in `failures`, which has ERRNOS elements. */
  constructor(libc: Libc, failures: Uint32Array) {
    this.#memory = new PinnedMemory(libc, Block.OCTETS)
    this.#outgoing = new Outgoing(libc, this.#memory.view, this.#memory.address, failures)
    this.#octets = new Uint8Array(this.#memory.view)
    this.#view = new DataView(this.#memory.view)
  }

  /**
   * Queues a copy of a reply to where `origin` (ORIGIN octets) says. Sends what is queued when there are 64, or when it was for another
   * socket. What is larger than any datagram is counted as EMSGSIZE, what goes to port 0 as EINVAL.
   */
  queue(fd: number, origin: Uint8Array, reply: Uint8Array): void {
    const toNobody = origin[Sockaddr.PORT] === 0 && origin[Sockaddr.PORT + 1] === 0
    if (toNobody || reply.length > SLOT) {
      this.#outgoing.fail(toNobody ? EINVAL : EMSGSIZE)
      return
    }
    if (fd !== this.#fd || this.#outgoing.count === BATCH) this.flush()
    this.#fd = fd
    const i = this.#outgoing.count
    const isIPv4 = origin[Sockaddr.FAMILY] === AF_INET
    const control = Block.CONTROLS + i * Block.CONTROL_STRIDE
    this.#view.setUint32(control + Control.LENGTH, isIPv4 ? Control.LENGTH_4 : Control.LENGTH_6, true)
    this.#view.setUint32(control + Control.LEVEL, isIPv4 ? IPPROTO_IP : IPPROTO_IPV6, true)
    this.#view.setUint32(control + Control.TYPE, isIPv4 ? IP_PKTINFO : IPV6_PKTINFO, true)
    this.#octets.set(origin.subarray(ORIGIN_LOCAL, ORIGIN), control + Control.DATA)
    this.#octets.set(origin.subarray(0, ORIGIN_LOCAL), Block.NAMES + i * Block.NAME_STRIDE)
    this.#octets.set(reply, Block.SLOTS + i * SLOT_STRIDE)
    this.#outgoing.add(
      i,
      reply.length,
      isIPv4 ? Sockaddr.OCTETS_4 : Sockaddr.OCTETS_6,
      isIPv4 ? Control.SPACE_4 : Control.SPACE_6,
    )
  }

  /** Sends what is queued; to be called before a socket is closed, and at the end of each turn. Returns how many were sent. */
  flush(): number {
    return this.#outgoing.count === 0 ? 0 : this.#outgoing.send(this.#fd)
  }

  /** Sends what is queued and gives its memory back. It must not be used any more. */
  close(): void {
    this.flush()
    this.#memory.free()
  }
}
