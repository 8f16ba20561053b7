/** What listens for one virtual address. */
import type { Clock } from '../../observe/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Pool } from './pool.ts'

export interface Front {
  /** Rejects with the system's error, and may then be called again with another address or port. */
  listen(address: string, port: number): Promise<void>
  /** To be called once the pool's backends have changed. */
  changed(): void
  /** Listens no more. Connections go on; sessions of UDP end. Resolves when nothing is left. */
  close(): Promise<void>
  /** Ends at once what there still is. */
  abort(): void
}

export interface FrontOptions {
  /** What it is called in the log. */
  readonly name: string
  readonly pool: Pool
  readonly clock: Clock
  readonly log: Logger
}

/** An IPv4 client of a socket for both families is seen with an IPv6 address that stands for its own. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}
