/** The UDP engine `batch` as a listener: what every listener must do. */
import t from 'tap'
import { batchSupport, type Libc } from '../../../src/net/udp-batch/libc.ts'
import { ERRNOS } from '../../../src/net/udp-batch/outgoing.ts'
import { Sender } from '../../../src/net/udp-batch/sender.ts'
import { systemClock } from '../../../src/observe/clock.ts'
import { metrics } from '../../../src/observe/metrics.ts'
import { BatchEngine } from '../../../src/server/answer-threads/batch-engine.ts'
import { BatchListener } from '../../../src/server/answer-threads/batch-listener.ts'
import { EngineMetrics } from '../../../src/server/answer-threads/engine-metrics.ts'
import { echo, listenerContract, recordingLog } from '../../contract/listener.ts'
import { connect } from '../../helpers/udp-client.ts'

const registry = metrics()
const { log } = recordingLog()
const engine = await BatchEngine.start(2, { clock: systemClock, log, metrics: registry, table: undefined })
t.teardown(() => engine.stop())

t.test('contract', t => listenerContract(t, { make: options => engine.listener(options, 0), connect }))

t.test('where a further socket cannot be had the first is closed, once', async t => {
  const support = await batchSupport()
  if (!support.ok) throw new Error(support.reason)
  const { socket, close } = support.libc
  const EMFILE = 24
  let opened = 0
  const closed: number[] = []
  const libc: Libc = {
    ...support.libc,
    socket: (...args) => (++opened > 1 ? -1 : socket(...args)),
    errno: () => EMFILE,
    close: fd => {
      closed.push(fd)
      return close(fd)
    },
    shutdown: fd => {
      t.fail(`descriptor ${fd} was used`)
      return 0
    },
  }
  const sender = new Sender(libc, new Uint32Array(ERRNOS))
  const surroundings = {
    libc,
    threads: { count: 2, add: async () => undefined, remove: async () => undefined },
    sender,
    flushSoon: () => undefined,
    nextNumber: () => 1,
    watch: new EngineMetrics(metrics(), systemClock).watchSocket,
  }
  const listener = new BatchListener(surroundings, { address: '127.0.0.1', port: 0, clock: systemClock, log }, 0)
  await t.rejects(listener.listen(echo), { code: 'PORTOLAN_LISTEN', message: /EMFILE/ })
  t.equal(closed.length, 1)
  await listener.close(0)
  t.equal(closed.length, 1)
  sender.close()
})
