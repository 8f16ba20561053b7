/**
 * Which way UDP goes: in batches through answer threads (`batch`), or through Node's own sockets (`dgram`). Both have the same
 * listeners in front and the same table behind; what tells them apart ends here.
 */
import { availableParallelism } from 'node:os'
import { messageOf, PortolanError } from '../errors.ts'
import type { Clock } from '../observe/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { UdpListener } from './listener.ts'
import type { PublishedTable } from './published-table.ts'
import { type UdpOptions, udpListener } from './udp.ts'

/** `auto` is `batch` where that is possible and there is an answer table. */
export const udpEngines = ['auto', 'batch', 'dgram'] as const
export type UdpEngineChoice = (typeof udpEngines)[number]

/** More do not help: the control thread wants a processor too, and each takes memory. */
const USUAL_MOST = 4

/** How many sockets each port has where nobody says. */
export function usualSockets(): number {
  return Math.min(availableParallelism(), USUAL_MOST)
}

export interface EngineOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  /** Absent where everything is answered by `respond`. */
  readonly table: PublishedTable | undefined
  /** The module that threads run instead of their own: tests have threads that fail. */
  readonly entry?: URL
}

export interface UdpEngine {
  /** How it is called in the log: `batch, 2 answer threads`. */
  readonly description: string
  /** Its threads look into the answer table themselves: what reaches `respond` is not there. */
  readonly readsTable: boolean
  /** A listener; where threads look into the table, its directory of that number says how they answer. */
  listener(options: UdpOptions, directory: number): UdpListener
  /** How many sockets, and threads, each port has from now on. Where that fails there are as many threads as before. */
  resize(sockets: number): Promise<void>
  /** Gives everything back; its listeners are closed. */
  stop(): Promise<void>
}

/**
 * Starts the engine that is wanted. Where `auto` cannot have threads a line in the log says why; `batch` rejects then with
 * PORTOLAN_UDP_ENGINE.
 */
export async function udpEngine(choice: UdpEngineChoice, sockets: number, options: EngineOptions): Promise<UdpEngine> {
  // Without a table threads would have nothing to answer from.
  if (choice === 'dgram' || (choice === 'auto' && options.table === undefined)) return dgram
  try {
    // What it needs is loaded only here: other systems, and who wants `dgram`, do without.
    const { BatchEngine } = await import('./answer-threads/batch-engine.ts')
    return await BatchEngine.start(sockets, options)
  } catch (cause) {
    if (choice === 'batch') {
      throw new PortolanError('PORTOLAN_UDP_ENGINE', `the UDP engine batch cannot be used: ${messageOf(cause)}`, {
        cause,
      })
    }
    options.log.info(`udp: there are no answer threads, Node's own sockets are used: ${messageOf(cause)}`)
    return dgram
  }
}

const dgram: UdpEngine = {
  description: 'dgram',
  readsTable: false,
  listener: udpListener,
  resize: async () => undefined,
  stop: async () => undefined,
}
