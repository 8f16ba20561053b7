/** When a thread that fails is started anew. */
import t from 'tap'
import { batchSupport } from '../../../src/net/udp-batch/libc.ts'
import type { Clock } from '../../../src/observe/clock.ts'
import { AnswerThread } from '../../../src/server/answer-threads/answer-thread.ts'
import { testClock } from '../../helpers/clock.ts'

const support = await batchSupport()
if (!support.ok) throw new Error(support.reason)
const { libc } = support

/** Carries out its first orders, and fails. */
const script = `
  import { parentPort } from 'node:worker_threads'
  parentPort.once('message', ({ turn }) => {
    parentPort.postMessage(turn)
    setImmediate(() => { throw new Error('a thread of a test failed') })
  })`

t.test('a thread that fails for ever is started less and less often, and more often where none runs', async t => {
  const pauses: number[] = []
  const enough = Promise.withResolvers<void>()
  const clock: Clock = {
    ...testClock(),
    after(pause, task) {
      pauses.push(pause)
      if (pauses.length === 14) enough.resolve()
      else setImmediate(task)
      return { cancel: () => undefined }
    },
  }
  const thread = new AnswerThread({
    libc,
    entry: new URL(`data:text/javascript,${encodeURIComponent(script)}`),
    table: undefined,
    clock,
    anyRuns: () => pauses.length !== 10,
    look: () => undefined,
    failed: () => undefined,
    back: () => undefined,
    gone: () => undefined,
  })
  await thread.start()
  await enough.promise
  await thread.stop()
  const doubled = Array.from({ length: 10 }, (_, i) => 50 * 2 ** i)
  t.strictSame(pauses, [...doubled, 5_000, 60_000, 60_000, 60_000])
})
