/** A thread that waits for a request on a descriptor, in memory that is its starter's, and says what came. For `udp-batch.test.ts`. */
import { parentPort, workerData } from 'node:worker_threads'
import { Batch } from '../../src/net/udp-batch/batch.ts'
import { ERRNOS } from '../../src/net/udp-batch/outgoing.ts'
import { libc, textOf } from '../helpers/udp-batch.ts'

const { fd, address }: { fd: number; address: bigint } = workerData
const batch = new Batch(libc, address, new Uint32Array(ERRNOS))
parentPort!.postMessage('waits')
const count = batch.receive(fd, true)
parentPort!.postMessage(count > 0 ? textOf(batch, 0) : count)
