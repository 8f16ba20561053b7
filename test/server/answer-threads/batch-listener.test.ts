/** The UDP engine `batch` as a listener: what every listener must do. */
import t from 'tap'
import { systemClock } from '../../../src/observe/clock.ts'
import { metrics } from '../../../src/observe/metrics.ts'
import { BatchEngine } from '../../../src/server/answer-threads/batch-engine.ts'
import { listenerContract, recordingLog } from '../../contract/listener.ts'
import { connect } from '../../helpers/udp-client.ts'

const registry = metrics()
const { log } = recordingLog()
const engine = await BatchEngine.start(2, { clock: systemClock, log, metrics: registry, table: undefined })
t.teardown(() => engine.stop())

t.test('contract', t => listenerContract(t, { make: options => engine.listener(options, 0), connect }))
