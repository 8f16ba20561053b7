/**
 * Requests received and replies sent by one thread, up to 64 with each system call, without a copy: a reply is made where its
 * request stands. What the octets mean, and when to stop, is left to the thread.
 */
import {
  AF_INET,
  AF_INET6,
  BATCH,
  Block,
  Control,
  Header,
  Iovec,
  MSG_DONTWAIT,
  MSG_TRUNC,
  MSG_WAITFORONE,
  SLOT,
  SLOT_STRIDE,
  Sockaddr,
} from './layout.ts'
import { EINVAL, type Libc } from './libc.ts'
import { ORIGIN } from './origin.ts'
import { Outgoing, pointAll } from './outgoing.ts'

/** Octets of the pinned memory that a Batch needs. */
export const BATCH_MEMORY = Block.OCTETS

const WORDS = Header.OCTETS / 4
const NAME_LENGTH = Header.NAME_LENGTH / 4
const CONTROL_LENGTH = Header.CONTROL_LENGTH / 4
const FLAGS = Header.FLAGS / 4
const LENGTH = Header.LENGTH / 4
const NAMES = Block.NAMES / 4
const NAME_WORDS = Block.NAME_STRIDE / 4
const CONTROLS = Block.CONTROLS / 4
const CONTROL_WORDS = Block.CONTROL_STRIDE / 4
const DATA = Control.DATA / 4
const SOCKADDR_WORDS = Sockaddr.OCTETS_6 / 4
const ADDRESS_6 = Sockaddr.ADDRESS_6 / 4
const INTERFACE_4 = Control.INTERFACE_4 / 4
const INTERFACE_6 = Control.INTERFACE_6 / 4

/** ::ffff:0:0/96, the third word of its addresses as it stands in memory. */
const MAPPED = 0xffff_0000
/** fe80::/10, of the first word. */
const LINK_LOCAL = 0x0000_80fe
const LINK_LOCAL_MASK = 0x0000_c0ff

/**
 * The messages of the last `receive` are numbered from 0. Their contents, and whatever `slotAt` points at, hold until the next
 * one. Nothing here throws, allocates or waits, but for `receive` where it is told to wait.
 */
export class Batch {
  /** Requests and replies, at `slotAt`; as octets, and as words. */
  readonly octets: Uint8Array
  readonly words: Int32Array
  readonly #libc: Libc
  readonly #address: bigint
  /** The whole block. */
  readonly #memory: Uint32Array
  readonly #outgoing: Outgoing
  /** Messages whose lengths the kernel has changed since they were set. */
  #used = BATCH

  /**
   * `address` is that of BATCH_MEMORY octets of pinned memory that nobody else uses; they stay their owner's, to be freed after
   * the thread's exit. Replies that cannot be sent are counted in `failures`, which has ERRNOS elements and may be shared.
   */
  constructor(libc: Libc, address: bigint, failures: Uint32Array) {
    const memory = libc.view(address, BATCH_MEMORY)
    pointAll(memory, address, Block.RECEIVED, Block.RECEIVED_IOVECS)
    this.#libc = libc
    this.#address = address + BigInt(Block.RECEIVED)
    this.#memory = new Uint32Array(memory)
    this.#outgoing = new Outgoing(libc, memory, address, failures)
    this.octets = new Uint8Array(memory, Block.SLOTS)
    this.words = new Int32Array(memory, Block.SLOTS)
    // The kernel tells what it received elsewhere: these stay.
    for (let i = 0; i < BATCH; i++) {
      this.#memory[(Block.RECEIVED_IOVECS + i * Iovec.OCTETS + Iovec.LENGTH) / 4] = SLOT
    }
  }

  /** Where the request of message `i` stands in `octets`, and its reply is made; there is room for SLOT octets. */
  slotAt(i: number): number {
    return i * SLOT_STRIDE
  }

  /**
   * Receives what is there, 64 messages at most, and forgets the ones before. If nothing is there and `wait` is true, waits for
   * one, at most 200 ms (`openSocket` sets that). Returns
   *
   * - how many messages there are;
   * - 0 when it waited and the socket was told to `wake`, of what had arrived until then nothing is left, and nothing will be
   *   waited for any more;
   * - else the negative errno: -EAGAIN when there is nothing, -EINTR when it is to be called again. With any other the socket
   *   cannot be read; who calls again at once may well get it again at once.
   */
  receive(fd: number, wait: boolean): number {
    const memory = this.#memory
    for (let i = 0, header = 0; i < this.#used; i++, header += WORDS) {
      memory[header + NAME_LENGTH] = Sockaddr.OCTETS_6
      memory[header + CONTROL_LENGTH] = Block.CONTROL_STRIDE
    }
    const { recvmmsg, errno } = this.#libc
    const count = recvmmsg(fd, this.#address, BATCH, wait ? MSG_WAITFORONE : MSG_DONTWAIT, null)
    if (count < 0) {
      this.#used = 0
      return -errno()
    }
    this.#used = count
    // From nobody: so the kernel ends a wait on a socket that was shut down. Something may have come in right behind it.
    if (memory[NAME_LENGTH] === 0) {
      if (count === 1) return 0
      memory[NAMES] = 0
    }
    return count
  }

  /** Octets of the request. May be 0. */
  length(i: number): number {
    return this.#memory[i * WORDS + LENGTH]!
  }

  /** The request was longer than its slot. */
  truncated(i: number): boolean {
    return (this.#memory[i * WORDS + FLAGS]! & MSG_TRUNC) !== 0
  }

  /** The client's family: false for IPv4, also on a socket for both. */
  isIPv6(i: number): boolean {
    const memory = this.#memory
    const name = NAMES + i * NAME_WORDS
    if ((memory[name]! & 0xffff) !== AF_INET6) return false
    const address = name + ADDRESS_6
    return memory[address + 2] !== MAPPED || memory[address + 1] !== 0 || memory[address] !== 0
  }

  /** Copies the origin of message `i`, ORIGIN octets, to `target` from word `at` on. */
  copyOrigin(i: number, target: Int32Array, at: number): void {
    const memory = this.#memory
    const name = NAMES + i * NAME_WORDS
    const local = this.#routed(i) + DATA
    for (let word = 0; word < SOCKADDR_WORDS; word++) target[at + word] = memory[name + word]!
    for (let word = SOCKADDR_WORDS; word < ORIGIN / 4; word++) {
      target[at + word] = memory[local + word - SOCKADDR_WORDS]!
    }
  }

  /**
   * The first `length` octets of the slot are the reply to message `i`, from the address that was asked. It is sent with the next
   * `send`. At most once for each message. Port 0 cannot be replied to: counted as EINVAL, which the kernel would say.
   */
  reply(i: number, length: number): void {
    if (this.#memory[NAMES + i * NAME_WORDS]! >>> 16 === 0) {
      this.#outgoing.fail(EINVAL)
      return
    }
    this.#routed(i)
    const header = i * WORDS
    this.#outgoing.add(i, length, this.#memory[header + NAME_LENGTH]!, this.#memory[header + CONTROL_LENGTH]!)
  }

  /** Sends the replies; what cannot be sent is counted and left out. Returns how many were sent. */
  send(fd: number): number {
    return this.#outgoing.count === 0 ? 0 : this.#outgoing.send(fd)
  }

  /** Takes the interface out of a message's control data but for link-local addresses. Returns where that stands. */
  #routed(i: number): number {
    const memory = this.#memory
    const control = CONTROLS + i * CONTROL_WORDS
    if ((memory[NAMES + i * NAME_WORDS]! & 0xffff) === AF_INET) memory[control + INTERFACE_4] = 0
    else if ((memory[control + DATA]! & LINK_LOCAL_MASK) !== LINK_LOCAL) memory[control + INTERFACE_6] = 0
    return control
  }
}
