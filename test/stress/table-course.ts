/** The writer's side of the answer table's stress: changes of all kinds while witnesses read, one of which stops and one throws. */
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Control, LINE, Verdict } from '../../src/table/layout.ts'
import { AnswerTable } from '../../src/table/table.ts'
import { nameFromKey } from '../../src/wire/name.ts'
import { Type } from '../../src/wire/types.ts'
import { chance } from '../wire/random.ts'
import {
  answerFor,
  Command,
  type Count,
  counts,
  faults,
  nameOf,
  Part,
  partOf,
  SharedWords,
  sizeOf,
  type WitnessData,
} from './table-answers.ts'

export interface CourseOptions {
  readonly changes: number
  readonly names: number
  readonly witnesses: number
  readonly seed: number
  /** The first witness stops in mid-batch for as many changes and milliseconds, whichever takes longer. */
  readonly hold: { readonly changes: number; readonly ms: number }
  readonly reclaim: 'epochs' | 'at once'
}

export interface CourseFigures {
  readonly seen: Readonly<Record<Count, number>>
  /** What must not be seen, summed up. */
  readonly faults: number
  readonly seconds: number
  readonly inserted: number
  readonly replaced: number
  readonly removed: number
  /** Kept answers that the table did not take. */
  readonly refused: number
  /** How often the index changed its size, and the arena. */
  readonly rebuilds: number
  readonly growths: number
  /** Octets that waited for readers: at most before one stopped, while it did, and when it had gone on. */
  readonly limboBefore: number
  readonly limboHeld: number
  readonly limboAfter: number
  /** Octets of what was replaced while one stopped, at least and at most. */
  readonly replacedHeld: number
  readonly arenaBytes: number
  readonly usedBytes: number
  /** Whether the one that threw was in a batch, and its place was given to another. */
  readonly thrownInBatch: boolean
  /** Octets in use when all was removed, but for the index. */
  readonly left: number
}

/** More than an entry has besides its body. */
const OVERHEAD = 320
const COMMIT = 100
const SLICE = 500

export async function runCourse(options: CourseOptions): Promise<CourseFigures> {
  const course = new Course(options)
  return course.run()
}

class Course {
  readonly #options: CourseOptions
  readonly #table: AnswerTable
  readonly #shared: SharedWords
  readonly #zones
  readonly #cache
  readonly #directory: number
  readonly #workers: Worker[] = []
  readonly #readers: number[] = []
  readonly #below: (end: number) => number
  readonly #done = { inserted: 0, replaced: 0, removed: 0, refused: 0, rebuilds: 0, growths: 0 }
  readonly #peak = { arenaBytes: 0, usedBytes: 0, limbo: 0, slots: 0 }
  /** Octets of what was replaced or removed. */
  #replaced = 0
  #changes = 0

  constructor(options: CourseOptions) {
    this.#options = options
    this.#below = chance(options.seed).below
    this.#table = new AnswerTable({ reclaim: options.reclaim })
    this.#shared = new SharedWords(options.names, options.witnesses)
    this.#zones = [this.#table.zoneSpace(), this.#table.zoneSpace()] as const
    this.#cache = this.#table.cacheSpace()
    this.#directory = this.#table.openDirectory()
  }

  async run(): Promise<CourseFigures> {
    const { changes, witnesses, hold } = this.#options
    const started = performance.now()
    for (let witness = 0; witness < witnesses; witness++) this.#start(witness)
    await this.#until(() => this.#seen('batches') > witnesses)

    await this.#change(changes * 0.3)
    const limboBefore = this.#peak.limbo

    this.#command(0, Command.HOLD)
    await this.#until(() => Atomics.load(this.#shared.holding, 0) === 1)
    this.#peak.limbo = 0
    // Some of what was replaced before may wait still: for a thread that the system gave no time.
    const [heldAt, replacedBefore] = [performance.now(), this.#replaced - this.#table.usage().limboBytes]
    await this.#change(hold.changes)
    while (performance.now() - heldAt < hold.ms) await this.#change(SLICE)
    const [limboHeld, replacedHeld] = [this.#peak.limbo, this.#replaced - replacedBefore]
    this.#command(0, Command.GO_ON)
    await this.#pass(0)
    const limboAfter = this.#table.usage().limboBytes

    await this.#change(changes * 0.6 - this.#changes)
    const thrownInBatch = await this.#throw(witnesses - 1)
    await this.#change(changes - this.#changes)

    const seconds = (performance.now() - started) / 1000
    await this.#end()
    return {
      ...this.#done,
      ...this.#peak,
      seen: Object.fromEntries(counts.map(count => [count, this.#seen(count)])) as Record<Count, number>,
      faults: faults.reduce((sum, fault) => sum + this.#seen(fault), 0),
      seconds,
      limboBefore,
      limboHeld,
      limboAfter,
      replacedHeld,
      thrownInBatch,
      left: this.#empty(),
    }
  }

  #start(witness: number): void {
    const { names, witnesses, seed } = this.#options
    const reader = this.#table.openReader()
    const { arena, control } = this.#table.memory
    const [lasting, cleared] = this.#zones
    const data: WitnessData = {
      arena,
      control,
      words: this.#shared.buffer,
      reader,
      witness,
      witnesses,
      names,
      spaces: [lasting.id, cleared.id, this.#cache.id],
      directory: this.#directory,
      seed: seed * 31 + witness + 1,
    }
    this.#readers[witness] = reader
    this.#workers[witness] = new Worker(new URL('table-witness.ts', import.meta.url), { workerData: data })
  }

  #command(witness: number, command: number): void {
    Atomics.store(this.#shared.commands, witness, command)
    Atomics.notify(this.#shared.commands, witness)
  }

  #seen(count: Count): number {
    let sum = 0
    for (let i = counts.indexOf(count); i < this.#shared.counts.length; i += counts.length) {
      sum += Atomics.load(this.#shared.counts, i)
    }
    return sum
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await setImmediate()
  }

  /** Waits until a witness has ended a batch, and reclaims. */
  async #pass(witness: number): Promise<void> {
    const batches = witness * counts.length + counts.indexOf('batches')
    const before = Atomics.load(this.#shared.counts, batches)
    await this.#until(() => Atomics.load(this.#shared.counts, batches) > before + 1)
    this.#table.commit()
  }

  /** Lets a witness throw, and another take its place. Whether it was in a batch. */
  async #throw(witness: number): Promise<boolean> {
    const worker = this.#workers[witness]!
    const reader = this.#readers[witness]!
    const ended = new Promise<void>(resolve => worker.once('exit', () => resolve()))
    const thrown = new Promise<unknown>(resolve => worker.once('error', resolve))
    this.#command(witness, Command.THROW)
    const error = await thrown
    await ended
    const state = new Int32Array(this.#table.memory.control)[Control.READERS + reader * LINE]
    this.#table.closeReader(reader)
    this.#command(witness, Command.GO_ON)
    this.#start(witness)
    return error instanceof Error && error.message === 'thrown in mid-batch' && state !== 0
  }

  async #change(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.#changeOne()
      this.#changes++
      if (this.#changes % COMMIT === 0) this.#commit()
      if (this.#changes % SLICE === 0) await setImmediate()
    }
    this.#commit()
  }

  /** Names get more, then fewer, and more again: the index grows, fills with what is deleted, and shrinks. */
  #changeOne(): void {
    const { names } = this.#options
    const phase = Math.floor(this.#changes / (names * 3))
    const isGrowing = phase % 2 === 0
    if (this.#changes % (names * 3) === names) this.#clear()
    if (this.#changes % 1000 === 0) this.#setTemplate()
    if (this.#changes % 5000 === 0) this.#setDirectory()
    for (;;) {
      const id = this.#below(names)
      const isThere = (this.#shared.committed[id]! & 1) === 1
      const draw = this.#below(100)
      const isRemoved = isThere && draw < (isGrowing ? 10 : 70)
      if (isRemoved) this.#remove(id)
      else if (isThere || draw < (isGrowing ? 90 : 5)) this.#put(id)
      else continue
      return
    }
  }

  #put(id: number): void {
    const { committed, removing } = this.#shared
    const before = committed[id]!
    const version = (before >> 1) + 1
    const answer = answerFor(id, version)
    const key = nameOf(id)
    this.#count(id, before)
    if (partOf(id) === Part.KEPT) {
      // It may not be taken, and then an older one is removed.
      Atomics.store(removing, id, version)
      const isKept = this.#cache.put(this.#question(id), answer, { ttl: 30, ageMs: 0 })
      if (!isKept) this.#done.refused++
      Atomics.store(committed, id, (version << 1) | (isKept ? 1 : 0))
      return
    }
    const type = { type: Type.TXT, verdict: Verdict.ANSWER, answer }
    this.#zoneOf(id).put(key, { other: Verdict.NODATA, below: 0, types: [type] })
    Atomics.store(committed, id, (version << 1) | 1)
  }

  #remove(id: number): void {
    const { committed, removing } = this.#shared
    const before = committed[id]!
    const version = (before >> 1) + 1
    this.#done.removed++
    this.#replaced += sizeOf(id, before >> 1) + OVERHEAD
    Atomics.store(removing, id, version)
    if (partOf(id) === Part.KEPT) this.#cache.remove(this.#question(id))
    else this.#zoneOf(id).put(nameOf(id), undefined)
    Atomics.store(committed, id, version << 1)
  }

  #clear(): void {
    const { committed, removing } = this.#shared
    const ids: number[] = []
    for (let id = 0; id < this.#options.names; id++) {
      if (partOf(id) === Part.CLEARED && (committed[id]! & 1) === 1) ids.push(id)
    }
    for (const id of ids) {
      this.#replaced += sizeOf(id, committed[id]! >> 1) + OVERHEAD
      Atomics.store(removing, id, (committed[id]! >> 1) + 1)
    }
    this.#zones[1].clear()
    for (const id of ids) Atomics.store(committed, id, ((committed[id]! >> 1) + 1) << 1)
    this.#done.removed += ids.length
  }

  #setTemplate(): void {
    const version = this.#shared.template[0]! + 1
    this.#zones[0].setNegative(() => answerFor(0, version))
    this.#replaced += sizeOf(0, version - 1) + OVERHEAD
    Atomics.store(this.#shared.template, 0, version)
  }

  #setDirectory(): void {
    const version = this.#shared.directory[0]! + 1
    const none = { ask: true, front: -1, zone: -1, cache: -1, closed: false, positives: false, negatives: false }
    this.#table.setDirectory(this.#directory, [
      { suffix: `v${version}`, size: version, rotate: false, sampled: false, counter: -1, ...none },
    ])
    this.#replaced += OVERHEAD
    Atomics.store(this.#shared.directory, 0, version)
  }

  #count(id: number, before: number): void {
    if ((before & 1) === 0) {
      this.#done.inserted++
      return
    }
    this.#done.replaced++
    this.#replaced += sizeOf(id, before >> 1) + OVERHEAD
  }

  #zoneOf(id: number) {
    return this.#zones[partOf(id) === Part.CLEARED ? 1 : 0]
  }

  #question(id: number) {
    const key = nameOf(id)
    return { key, name: nameFromKey(key), type: Type.TXT, dnssecOk: false, checkingDisabled: false }
  }

  #commit(): void {
    const peak = this.#peak
    const before = this.#table.usage()
    peak.limbo = Math.max(peak.limbo, before.limboBytes)
    peak.usedBytes = Math.max(peak.usedBytes, before.usedBytes)
    this.#table.commit()
    const { slots, arenaBytes } = this.#table.usage()
    if (slots !== peak.slots) {
      this.#done.rebuilds++
      this.#replaced += peak.slots * 4 + OVERHEAD
    }
    if (arenaBytes !== peak.arenaBytes) this.#done.growths++
    peak.slots = slots
    peak.arenaBytes = arenaBytes
  }

  async #end(): Promise<void> {
    const ended = this.#workers.map(worker => new Promise(resolve => worker.once('exit', resolve)))
    for (let witness = 0; witness < this.#workers.length; witness++) this.#command(witness, Command.END)
    await Promise.all(ended)
    for (const reader of this.#readers) this.#table.closeReader(reader)
  }

  /** Removes everything; the octets that are in use then, but for the index. */
  #empty(): number {
    for (const zone of this.#zones) zone.close()
    this.#cache.close()
    this.#table.closeDirectory(this.#directory)
    this.#table.commit()
    const { usedBytes, slots } = this.#table.usage()
    return usedBytes - slots * 4 - 16
  }
}
