/**
 * Memory that stays where it is, so that system calls and threads can be given its address. It belongs to whom made it, the control
 * thread: it outlives an answer thread that fails, and is there for its successor. What stands in it is left to others.
 */
import { checked, type Libc, SystemError } from './libc.ts'

const PROT_READ_WRITE = 3
const MAP_PRIVATE_ANONYMOUS = 0x22
const MADV_NOHUGEPAGE = 15
const MAP_FAILED = 0xffff_ffff_ffff_ffffn

/** Pages of zeros. Those that are never touched cost nothing, and `free` gives all of them back to the system. */
export class PinnedMemory {
  /** May be passed to other threads. */
  readonly address: bigint
  /** The memory for this thread; gone (detached) once it is freed. */
  readonly view: ArrayBuffer
  readonly #libc: Libc
  readonly #octets: number
  #freed = false

  constructor(libc: Libc, octets: number) {
    this.address = libc.mmap(null, octets, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0)
    if (this.address === MAP_FAILED) throw new SystemError('mmap', libc.errno(), `of ${octets} octets`)
    // In huge pages a touched octet would cost 2 MiB. Who refuses this has none.
    libc.madvise(this.address, octets, MADV_NOHUGEPAGE)
    this.view = libc.view(this.address, octets)
    this.#libc = libc
    this.#octets = octets
  }

  /**
   * Only once nobody uses it any more: for the memory of a thread, after the thread's `exit`. A thread that reads or writes it
   * later ends the whole process.
   */
  free(): void {
    if (this.#freed) return
    this.#freed = true
    this.view.transfer(0)
    checked(this.#libc, 'munmap', this.#libc.munmap(this.address, this.#octets))
  }
}
