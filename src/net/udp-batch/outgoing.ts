/**
 * The messages of a block that are to be sent, and the rules of sending: nobody's failure costs another one his reply, and nothing
 * ever waits for the network. What the messages are is left to `batch.ts` and `sender.ts`.
 */
import { BATCH, Block, Header, Iovec, MSG_DONTWAIT, SLOT_STRIDE } from './layout.ts'
import { EAGAIN, EINTR, ENOBUFS, type Libc } from './libc.ts'

/** How many errnos there are: failures are counted by their number, in an array of this length; 0 counts what has none. */
export const ERRNOS = 134

const WORDS = Header.OCTETS / 4
const NAME = Header.NAME / 4
const NAME_LENGTH = Header.NAME_LENGTH / 4
const CONTROL = Header.CONTROL / 4
const CONTROL_LENGTH = Header.CONTROL_LENGTH / 4
const IOVEC_WORDS = Iovec.OCTETS / 4
const BASE = Iovec.BASE / 4
const LENGTH = Iovec.LENGTH / 4

/** Points header i of an array of headers at name, control buffer and slot of message i, for all messages of a block. */
export function pointAll(memory: ArrayBuffer, address: bigint, headers: number, iovecs: number): void {
  const view = new DataView(memory)
  for (let i = 0; i < BATCH; i++) {
    const header = headers + i * Header.OCTETS
    const iovec = iovecs + i * Iovec.OCTETS
    view.setBigUint64(header + Header.NAME, address + BigInt(Block.NAMES + i * Block.NAME_STRIDE), true)
    view.setBigUint64(header + Header.IOVEC, address + BigInt(iovec), true)
    view.setBigUint64(header + Header.IOVEC_COUNT, 1n, true)
    view.setBigUint64(header + Header.CONTROL, address + BigInt(Block.CONTROLS + i * Block.CONTROL_STRIDE), true)
    view.setBigUint64(iovec + Iovec.BASE, address + BigInt(Block.SLOTS + i * SLOT_STRIDE), true)
  }
}

export class Outgoing {
  readonly #libc: Libc
  readonly #headers: Uint32Array
  readonly #iovecs: Uint32Array
  /** Headers and iovecs that point at the message of the same number, to copy from. */
  readonly #pointers: { readonly headers: Uint32Array; readonly iovecs: Uint32Array }
  readonly #failures: Uint32Array
  /** By header: which message it points at. */
  readonly #pointsAt = Uint8Array.from({ length: BATCH }, (_, i) => i)
  /** By header: where it stands. */
  readonly #addresses: readonly bigint[]
  #count = 0

  /** Uses the headers of a block that are for sending. `failures` has ERRNOS elements and may be shared. */
  constructor(libc: Libc, memory: ArrayBuffer, address: bigint, failures: Uint32Array) {
    pointAll(memory, address, Block.SENT, Block.SENT_IOVECS)
    this.#libc = libc
    this.#headers = new Uint32Array(memory, Block.SENT, BATCH * WORDS)
    this.#iovecs = new Uint32Array(memory, Block.SENT_IOVECS, BATCH * IOVEC_WORDS)
    this.#pointers = { headers: this.#headers.slice(), iovecs: this.#iovecs.slice() }
    this.#failures = failures
    this.#addresses = Array.from({ length: BATCH }, (_, i) => address + BigInt(Block.SENT + i * Header.OCTETS))
  }

  /** How many are to be sent. */
  get count(): number {
    return this.#count
  }

  /** Message `i` of the block is to be sent, with lengths of its parts as the kernel gave or wants them. */
  add(i: number, length: number, nameLength: number, controlLength: number): void {
    const m = this.#count++
    if (this.#pointsAt[m] !== i) this.#point(m, i)
    this.#headers[m * WORDS + NAME_LENGTH] = nameLength
    this.#headers[m * WORDS + CONTROL_LENGTH] = controlLength
    this.#iovecs[m * IOVEC_WORDS + LENGTH] = length
  }

  #point(m: number, i: number): void {
    const { headers, iovecs } = this.#pointers
    for (let half = 0; half < 2; half++) {
      this.#headers[m * WORDS + NAME + half] = headers[i * WORDS + NAME + half]!
      this.#headers[m * WORDS + CONTROL + half] = headers[i * WORDS + CONTROL + half]!
      this.#iovecs[m * IOVEC_WORDS + BASE + half] = iovecs[i * IOVEC_WORDS + BASE + half]!
    }
    this.#pointsAt[m] = i
  }

  /** Something that cannot be sent; counted as if the kernel had said so. */
  fail(errno: number): void {
    this.#failures[errno < ERRNOS ? errno : 0]!++
  }

  /**
   * Sends all that was added; never waits. Returns how many were sent; each other one was left out alone and is counted by its
   * errno. Where there is no room for a message it is tried once more.
   */
  send(fd: number): number {
    const { sendmmsg, errno } = this.#libc
    const count = this.#count
    let sent = 0
    let again = false
    for (let next = 0; next < count; ) {
      const result = sendmmsg(fd, this.#addresses[next]!, count - next, MSG_DONTWAIT)
      if (result > 0) {
        next += result
        sent += result
        again = false
        continue
      }
      const found = result < 0 ? errno() : 0
      if (found === EINTR) continue
      again = !again && (found === EAGAIN || found === ENOBUFS)
      if (again) continue
      this.fail(found)
      next++
    }
    this.#count = 0
    return sent
  }
}
