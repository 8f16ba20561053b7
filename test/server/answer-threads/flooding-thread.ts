/** An answer thread for tests: when `FLOOD` moves it passes on a thousand queries at once, and says so again and again. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { ORIGIN } from '../../../src/net/udp-batch/origin.ts'
import { RingWriter } from '../../../src/server/answer-threads/ring.ts'
import { LOOK, type Orders, type ThreadData, Word } from '../../../src/server/answer-threads/shared.ts'

/** A word that no other thread uses. */
export const FLOOD = Word.SIZE - 1
export const QUERIES = 1000

function run(data: ThreadData): void {
  const port = parentPort!
  const words = new Int32Array(data.words)
  const ring = new RingWriter(data.ring, ORIGIN)
  const nothing = new Int32Array(ORIGIN / 4)
  for (let seen = 0; ; ) {
    Atomics.wait(words, Word.TURN, seen)
    const { turn, sockets, end }: Orders = receiveMessageOnPort(port)!.message
    seen = turn
    port.postMessage(turn)
    if (end) return
    const [socket] = sockets
    if (socket === undefined) continue
    Atomics.wait(words, FLOOD, 0)
    for (let i = 0; i < QUERIES; i++) ring.push(socket.number, 0, nothing, 0, nothing, 0, 12)
    for (let i = 0; i < 10; i++) port.postMessage(LOOK)
  }
}

if (parentPort) run(workerData)
