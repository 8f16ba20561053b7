/**
 * One who listens to changes, by server-sent events (HTML standard, section 9.2). What is to be told is kept as a list of services, and
 * each is told as it is when its turn comes: so a slow listener is told less, and costs no more than one name for each service.
 */
import type { ServerResponse } from 'node:http'
import type { Key } from '../../cluster/objects.ts'
import type { Clock, Timer } from '../../observe/clock.ts'
import { isRouted, type Routes } from '../../routes/table.ts'

/** Told in one stretch, which takes some ms; then the event loop goes round. A connection on loopback takes megabytes at once. */
const STRETCH = 100
/** So that both sides, and what stands between, notice when the other is gone. */
const HEARTBEAT_MS = 15_000
/** Who takes nothing for as long is cut off, and may come back with the last id that it has. */
const STALLED_MS = 30_000

export class ChangeStream {
  readonly #response: ServerResponse
  readonly #table: Routes
  readonly #epoch: string
  readonly #heartbeat: Timer
  readonly #clock: Clock
  /** What is still to be told, with the revision of the change; 0 for what belongs to the first account of everything. */
  readonly #pending = new Map<Key, number>()
  /** The revision of an account of everything that is not yet complete. */
  #account: number | undefined
  /** Set while the event loop goes round between two stretches. */
  #pause: NodeJS.Immediate | undefined
  /** Cuts the connection off, while it takes nothing. */
  #stalled: Timer | undefined

  constructor(response: ServerResponse, table: Routes, epoch: string, clock: Clock) {
    this.#response = response
    this.#table = table
    this.#epoch = epoch
    this.#clock = clock
    this.#heartbeat = clock.every(HEARTBEAT_MS, () => {
      if (this.#stalled === undefined) this.#write(': still here\n\n')
    })
    response.on('drain', () => this.#drained())
  }

  /** Tells everything: `snapshot`, then each service, then `synced`. */
  startAnew(): void {
    const { revision } = this.#table
    for (const { service } of this.#table.destinations()) this.#pending.set(service, 0)
    for (const [service] of this.#table.routeless()) this.#pending.set(service, 0)
    this.#account = revision
    this.#write(eventText('snapshot', { revision, services: this.#pending.size }))
    this.#tell()
  }

  /** Tells what the listener has missed. */
  resume(missed: Iterable<readonly [Key, number]>): void {
    for (const [service, revision] of missed) this.#pending.set(service, revision)
    this.#write(': resumed\n\n')
    this.#tell()
  }

  changed(services: readonly Key[], revision: number): void {
    for (const service of services) {
      // In the order of the last change: who has an event's id has all before it.
      this.#pending.delete(service)
      this.#pending.set(service, revision)
    }
    this.#tell()
  }

  end(): void {
    this.#response.end()
    this.closed()
  }

  /** To be called when the connection is closed. */
  closed(): void {
    this.#heartbeat.cancel()
    this.#stalled?.cancel()
    clearImmediate(this.#pause)
    this.#pending.clear()
  }

  #tell(): void {
    if (this.#pause !== undefined) return
    for (let told = 0; this.#stalled === undefined; told++) {
      if (told >= STRETCH) {
        this.#pause = setImmediate(() => this.#goOn())
        return
      }
      const [service, revision] = this.#pending.entries().next().value ?? []
      if (this.#account !== undefined && revision !== 0) {
        this.#write(eventText('synced', { revision: this.#account }, this.#idOf(this.#account)))
        this.#account = undefined
        continue
      }
      if (service === undefined || revision === undefined) return
      this.#pending.delete(service)
      this.#write(this.#eventOf(service, revision))
    }
  }

  #goOn(): void {
    this.#pause = undefined
    this.#tell()
  }

  #eventOf(service: Key, revision: number): string {
    const found = this.#table.service(service)
    const next = this.#pending.values().next().value
    // Of changes made together the last one has the id: who has it has all of them.
    const id = revision === 0 || next === revision ? undefined : this.#idOf(revision)
    const change = { revision: revision || this.#account, service }
    if (found === undefined) return eventText('removed', change, id)
    return eventText('service', { ...change, ...(isRouted(found) ? { destinations: found } : { without: found }) }, id)
  }

  #idOf(revision: number): string {
    return `${this.#epoch}-${revision}`
  }

  #write(text: string): void {
    if (this.#response.write(text)) return
    this.#stalled ??= this.#clock.after(STALLED_MS, () => this.#response.destroy())
  }

  #drained(): void {
    this.#stalled?.cancel()
    this.#stalled = undefined
    this.#tell()
  }
}

function eventText(event: string, data: unknown, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
