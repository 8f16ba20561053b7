/** All who listen to changes of the routes, and what they may have missed. */
import type { ServerResponse } from 'node:http'
import type { Key } from '../../cluster/objects.ts'
import type { Clock, Random } from '../../observe/clock.ts'
import type { Routes } from '../../routes/table.ts'
import { ChangeStream } from './change-stream.ts'
import { Journal } from './journal.ts'

/** Listeners at a time; each costs a connection, and what it has yet to be told. */
export const MOST_STREAMS = 64

export class ChangeStreams {
  readonly #table: Routes
  readonly #clock: Clock
  /** Stands before each revision: the next process counts anew. */
  readonly #epoch: string
  readonly #streams = new Set<ChangeStream>()
  #journal = new Journal(0)

  constructor(table: Routes, { clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#table = table
    this.#clock = clock
    this.#epoch = `${clock.now().toString(36)}${Math.floor(random() * 36 ** 4).toString(36)}`
  }

  /** To be called once all routes are known: from here on there are changes. */
  open(): void {
    this.#journal = new Journal(this.#table.revision)
  }

  /** Services that differ from before, at the table's revision. */
  changed(services: readonly Key[]): void {
    const { revision } = this.#table
    for (const service of services) this.#journal.note(service, revision)
    for (const stream of this.#streams) stream.changed(services, revision)
  }

  /** Whether nobody else can listen. */
  get full(): boolean {
    return this.#streams.size >= MOST_STREAMS
  }

  /** Sends events until the connection ends: what changed after the event `lastId`, or of everything where nobody knows. */
  serve(response: ServerResponse, lastId: string | undefined): void {
    const stream = new ChangeStream(response, this.#table, this.#epoch, this.#clock)
    this.#streams.add(stream)
    response.on('close', () => {
      this.#streams.delete(stream)
      stream.closed()
    })
    const missed = this.#since(lastId)
    if (missed === undefined) stream.startAnew()
    else stream.resume(missed)
  }

  close(): void {
    for (const stream of this.#streams) stream.end()
  }

  #since(lastId: string | undefined): readonly (readonly [Key, number])[] | undefined {
    const [epoch, revision] = lastId?.split('-') ?? []
    if (epoch !== this.#epoch || revision === undefined || !/^\d{1,15}$/.test(revision)) return undefined
    return Number(revision) > this.#table.revision ? undefined : this.#journal.since(Number(revision))
  }
}
