/** What the control thread and one answer thread tell each other: memory that they share, and messages. */
import { LINE, type TableMemory } from '../../table/layout.ts'

/** A socket that a thread serves. The control thread owns its descriptor. */
export interface ThreadSocket {
  /** What it is called in the ring; never that of another socket of the process. */
  readonly number: number
  readonly fd: number
  /** The directory of the answer table that says how it answers. */
  readonly directory: number
}

/** What a thread starts with: plain data, and memory that stays the control thread's. */
export interface ThreadData {
  /** Absent where everything is asked of the control thread. */
  readonly table:
    | { readonly memory: TableMemory; readonly reader: number; readonly counters: SharedArrayBuffer }
    | undefined
  /** The address of the pinned memory for its batches. */
  readonly pinned: bigint
  /** Where replies that could not be sent are counted by their errno. */
  readonly failures: SharedArrayBuffer
  /** `Word`s. */
  readonly words: SharedArrayBuffer
  readonly ring: SharedArrayBuffer
}

/** What a thread is told. */
export interface Orders {
  /** Counts them. */
  readonly turn: number
  /** The sockets to serve from now on; others are read to the end first. */
  readonly sockets: readonly ThreadSocket[]
  /** The thread is to end. */
  readonly end: boolean
}

/** What a thread says: that its ring has records, or else the turn of the orders that it has carried out. */
export const LOOK = 0

/** Words of memory that each thread has for itself. Those on the second line are counts, which wrap. */
export const Word = {
  /** The turn of the latest orders; moves when these were posted. */
  TURN: 0,
  /** Queries that were passed on to the control thread. */
  MISSES: LINE,
  /** Queries that were refused, as the ring was full. */
  FULL: LINE + 1,
  SIZE: 2 * LINE,
} as const
