/** What becomes of the queries that answer threads pass on. */
import t from 'tap'
import { batchSupport } from '../../../src/net/udp-batch/libc.ts'
import { systemClock } from '../../../src/observe/clock.ts'
import { AnswerThreads, type Port } from '../../../src/server/answer-threads/answer-threads.ts'
import { recordingLog } from '../../contract/listener.ts'
import { FLOOD, QUERIES } from './flooding-thread.ts'

const support = await batchSupport()
if (!support.ok) throw new Error(support.reason)
const { libc } = support

const usual = {
  libc,
  clock: systemClock,
  log: recordingLog().log,
  table: undefined,
  waited: () => undefined,
  flush: () => undefined,
  restarted: () => undefined,
}

t.test('however many there are and however often that is said, each turn takes so many', async t => {
  let words = new Int32Array(new SharedArrayBuffer(0))
  const threads = new AnswerThreads({
    ...usual,
    watch: thread => {
      words = new Int32Array(thread.words)
      return () => undefined
    },
    entry: new URL('./flooding-thread.ts', import.meta.url),
  })
  const taken = [0]
  const port: Port = {
    sockets: [{ number: 1, fd: -1, directory: 0 }],
    widen: () => undefined,
    take: () => void taken[taken.length - 1]!++,
  }
  await threads.resize(1)
  await threads.add(port)
  Atomics.store(words, FLOOD, 1)
  Atomics.notify(words, FLOOD)
  const all = () => taken.reduce((sum, count) => sum + count, 0)
  while (all() < QUERIES) {
    await new Promise(setImmediate)
    taken.push(0)
  }
  t.strictSame(
    taken.filter(count => count > 0),
    [256, 256, 256, 232],
  )
  await threads.remove(port)
  await threads.stop()
})

t.test('where there is no memory for one more thread nothing is left of the others', async t => {
  let [mapped, watched] = [0, 0]
  const threads = new AnswerThreads({
    ...usual,
    libc: {
      ...libc,
      mmap: (...args) => (++mapped > 1 ? 0xffff_ffff_ffff_ffffn : libc.mmap(...args)),
      munmap: (...args) => {
        mapped = 0
        return libc.munmap(...args)
      },
    },
    watch: () => {
      watched++
      return () => void watched--
    },
  })
  await t.rejects(threads.resize(2), { message: /^mmap/ })
  t.strictSame([mapped, watched, threads.count], [0, 0, 0])
})
