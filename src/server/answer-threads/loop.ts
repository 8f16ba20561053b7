/**
 * What an answer thread does: receives queries, answers in place what stands in the answer table, passes on the rest, and does as
 * it is told. Nothing here allocates once its sockets are known.
 */
import type { Batch } from '../../net/udp-batch/batch.ts'
import { EAGAIN, EINTR, type Libc, SystemError } from '../../net/udp-batch/libc.ts'
import { ORIGIN } from '../../net/udp-batch/origin.ts'
import { Poll } from '../../net/udp-batch/poll.ts'
import { type Answerer, ASK, DROP } from '../../table/answerer.ts'
import { Transport, UNITS_PER_MS } from '../../table/counters.ts'
import { processNow } from '../process-clock.ts'
import { overloaded } from './overload.ts'
import type { RingWriter } from './ring.ts'
import { LOOK, type Orders, type ThreadSocket, Word } from './shared.ts'

export interface LoopOptions {
  readonly libc: Pick<Libc, 'poll' | 'errno'>
  readonly batch: Pick<Batch, keyof Batch>
  /** Without one everything is passed on. */
  readonly answerer: Pick<Answerer, 'begin' | 'answer' | 'end'> | undefined
  readonly ring: RingWriter
  /** `Word`s. */
  readonly words: SharedArrayBuffer
  /** The next orders; undefined where there are no more. */
  readonly orders: () => Orders | undefined
  readonly say: (what: number) => void
}

/** Octets that a reply may have: all that UDP carries. */
const CAPACITY = 65_507

/** How many queries of a socket that is left are read at most: more than its buffer held when that was said. */
const MOST_LEFT = 32_768

/** After so many failures in a row, a pause of so many milliseconds after each, the thread gives up. */
const MOST_FAILURES = 20
const PAUSE_MS = 10

export class AnswerLoop {
  readonly #options: LoopOptions
  readonly #words: Int32Array
  readonly #counts: Uint32Array
  readonly #origin = new Int32Array(ORIGIN / 4)
  #turn = 0
  #sockets: readonly ThreadSocket[] = []
  #poll: Poll | undefined
  /** In a row. */
  #failures = 0

  constructor(options: LoopOptions) {
    this.#options = options
    this.#words = new Int32Array(options.words)
    this.#counts = new Uint32Array(options.words)
  }

  /** Returns when it is told to end. Throws a SystemError where a socket cannot be read for good. */
  run(): void {
    for (;;) {
      if (Atomics.load(this.#words, Word.TURN) !== this.#turn && this.#obey()) return
      if (this.#sockets.length === 1) this.#serve(this.#sockets[0]!, true)
      else if (this.#poll !== undefined) this.#serveReady(this.#poll)
      else Atomics.wait(this.#words, Word.TURN, this.#turn)
    }
  }

  /** Carries out what was ordered; true where that is to end. */
  #obey(): boolean {
    const { libc, orders, say } = this.#options
    let end = false
    for (let next = orders(); next !== undefined; next = orders()) {
      const { turn, sockets } = next
      for (const socket of this.#sockets) {
        if (!sockets.some(({ number }) => number === socket.number)) this.#readToEnd(socket)
      }
      this.#turn = turn
      this.#sockets = sockets
      end = next.end
      say(turn)
    }
    const fds = this.#sockets.map(({ fd }) => fd)
    this.#poll = fds.length > 1 ? new Poll(libc, fds) : undefined
    return end
  }

  #readToEnd(socket: ThreadSocket): void {
    let left = MOST_LEFT
    while (left > 0) {
      const count = this.#serve(socket, false)
      if (count <= 0) return
      left -= count
    }
  }

  #serveReady(poll: Poll): void {
    const ready = poll.wait()
    if (ready < 0) this.#failed('poll', -ready)
    for (let i = 0; ready > 0 && i < this.#sockets.length; i++) {
      if (poll.isReady(i)) this.#serve(this.#sockets[i]!, false)
    }
  }

  /** One batch. Returns how many queries there were; 0 and below for none. */
  #serve(socket: ThreadSocket, wait: boolean): number {
    const { batch, answerer } = this.#options
    const count = batch.receive(socket.fd, wait)
    if (count <= 0) {
      this.#nothing(-count)
      return count
    }
    this.#failures = 0
    const began = processNow()
    const missesBefore = this.#counts[Word.MISSES]
    answerer?.begin(began)
    for (let i = 0; i < count; i++) this.#answer(socket, i, began)
    batch.send(socket.fd)
    answerer?.end((processNow() - began) * UNITS_PER_MS)
    if (this.#counts[Word.MISSES] !== missesBefore && this.#options.ring.mustWake()) this.#options.say(LOOK)
    return count
  }

  #answer(socket: ThreadSocket, i: number, now: number): void {
    const { batch, answerer } = this.#options
    const at = batch.slotAt(i)
    const length = batch.length(i)
    const transport = batch.isIPv6(i) ? Transport.UDP6 : Transport.UDP4
    const asks = answerer === undefined || batch.truncated(i)
    const reply = asks ? ASK : answerer.answer(socket.directory, at, length, CAPACITY, transport)
    if (reply === ASK) this.#passOn(socket, i, now)
    else if (reply !== DROP) batch.reply(i, reply)
  }

  #passOn(socket: ThreadSocket, i: number, now: number): void {
    const { batch, ring } = this.#options
    const at = batch.slotAt(i)
    const length = batch.length(i)
    batch.copyOrigin(i, this.#origin, 0)
    if (ring.push(socket.number, now | 0, this.#origin, 0, batch.words, at >> 2, length)) {
      this.#counts[Word.MISSES]! += 1
      return
    }
    this.#counts[Word.FULL]! += 1
    const refusal = overloaded(batch.octets, at, length)
    if (refusal > 0) batch.reply(i, refusal)
  }

  /** `errno` 0: the socket will not be waited on any more, and what to do instead is about to be said. */
  #nothing(errno: number): void {
    if (errno === 0) Atomics.wait(this.#words, Word.TURN, this.#turn, PAUSE_MS)
    else if (errno !== EAGAIN && errno !== EINTR) this.#failed('recvmmsg', errno)
  }

  #failed(call: string, errno: number): void {
    if (errno === EINTR) return
    this.#failures++
    if (this.#failures === MOST_FAILURES) throw new SystemError(call, errno)
    Atomics.wait(this.#words, Word.TURN, this.#turn, PAUSE_MS)
  }
}
