/** What the engine `batch` opened is closed when it stops: descriptors, threads, and shares in the metrics. */
import { readdirSync } from 'node:fs'
import t from 'tap'
import { systemClock } from '../../../src/observe/clock.ts'
import { metrics } from '../../../src/observe/metrics.ts'
import { BatchEngine } from '../../../src/server/answer-threads/batch-engine.ts'
import { echo, recordingLog } from '../../contract/listener.ts'

const { log } = recordingLog()
const registry = metrics()

async function startAndStop(): Promise<void> {
  const engine = await BatchEngine.start(1, { clock: systemClock, log, metrics: registry, table: undefined })
  const listener = engine.listener({ address: '', port: 0, clock: systemClock, log }, 0)
  await listener.listen(echo)
  await listener.close(0)
  await engine.stop()
}

const left = () => [readdirSync('/proc/self/fd').length, readdirSync('/proc/self/task').length]

t.test('started and stopped 50 times, nothing is left', async t => {
  await startAndStop()
  const before = left()
  for (let i = 0; i < 50; i++) await startAndStop()
  t.strictSame(left(), before)
  t.match(await registry.exposition(), /^portolan_answer_threads 0$/m)
})
