/** The module that each answer thread runs. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { Batch } from '../../net/udp-batch/batch.ts'
import { batchSupport } from '../../net/udp-batch/libc.ts'
import { ORIGIN } from '../../net/udp-batch/origin.ts'
import { Answerer } from '../../table/answerer.ts'
import { TableReader } from '../../table/reader.ts'
import { AnswerLoop } from './loop.ts'
import { RingWriter } from './ring.ts'
import type { ThreadData } from './shared.ts'

const { table, pinned, failures, words, ring }: ThreadData = workerData
const port = parentPort!
const support = await batchSupport()
if (!support.ok) throw new Error(support.reason)
const batch = new Batch(support.libc, pinned, new Uint32Array(failures))
const answerer =
  table &&
  new Answerer({
    reader: new TableReader(table.memory, table.reader),
    octets: batch.octets,
    counters: new Uint32Array(table.counters),
  })

new AnswerLoop({
  libc: support.libc,
  batch,
  answerer,
  ring: new RingWriter(ring, ORIGIN),
  words,
  orders: () => receiveMessageOnPort(port)?.message,
  say: what => port.postMessage(what),
}).run()
