/**
 * An answer thread for tests, without a table: it echoes queries with RD as responses, passes on the others, and throws in the middle of
 * a batch when it meets the id 0xdead.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { Batch } from '../../../src/net/udp-batch/batch.ts'
import { batchSupport } from '../../../src/net/udp-batch/libc.ts'
import { ORIGIN } from '../../../src/net/udp-batch/origin.ts'
import { AnswerLoop } from '../../../src/server/answer-threads/loop.ts'
import { RingWriter } from '../../../src/server/answer-threads/ring.ts'
import type { ThreadData } from '../../../src/server/answer-threads/shared.ts'
import { ASK, DROP } from '../../../src/table/answerer.ts'

const { pinned, failures, words, ring }: ThreadData = workerData
const port = parentPort!
const support = await batchSupport()
if (!support.ok) throw new Error(support.reason)
const batch = new Batch(support.libc, pinned, new Uint32Array(failures))

new AnswerLoop({
  libc: support.libc,
  batch,
  answerer: {
    begin: () => undefined,
    end: () => undefined,
    answer(_directory, at, length) {
      const { octets } = batch
      if (length < 12) return DROP
      if (octets[at] === 0xde && octets[at + 1] === 0xad) throw new Error('a thread of a test failed')
      if ((octets[at + 2]! & 1) === 0) return ASK
      octets[at + 2]! |= 0x80
      return length
    },
  },
  ring: new RingWriter(ring, ORIGIN),
  words,
  orders: () => receiveMessageOnPort(port)?.message,
  say: what => port.postMessage(what),
}).run()
