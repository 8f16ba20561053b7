/** A thread that reads the answer table as answer threads do, and counts what it must never see. */
import { workerData } from 'node:worker_threads'
import { nameLengthAt } from '../../src/table/entry.ts'
import { AnswerRecord, Entry, Kind, Template } from '../../src/table/layout.ts'
import { TableReader } from '../../src/table/reader.ts'
import { placed } from '../helpers/table.ts'
import { chance } from '../wire/random.ts'
import {
  Body,
  Command,
  type Count,
  counts,
  inspect,
  nameOf,
  Part,
  partOf,
  SharedWords,
  versionAt,
  type WitnessData,
} from './table-answers.ts'

const data: WitnessData = workerData
const { names, witness, witnesses, spaces } = data
const shared = new SharedWords(names, witnesses, data.words)
const reader = new TableReader({ arena: data.arena, control: data.control }, data.reader)
const { below } = chance(data.seed)
const NAME_AT = 1
const wires = Array.from({ length: names }, (_, id) => placed(nameOf(id), NAME_AT))
const BATCH = 64

const add = (count: Count): void => {
  Atomics.add(shared.counts, witness * counts.length + counts.indexOf(count), 1)
}

/** Counts what is wrong with the body of an entry; its version where nothing is. */
function checked(entry: number, id: number): number | undefined {
  const { words, octets } = reader
  const nameWords = (nameLengthAt(words, entry) + 3) >> 2
  const isKept = (words[entry + Entry.KEY]! & 255) === Kind.CACHE
  const record = entry + Entry.NAME + (isKept ? 2 : 1) * nameWords
  const at = entry * 4 + words[record + AnswerRecord.BODY_AT]!
  const body = inspect(octets, at, words[record + AnswerRecord.BODY_LENGTH]!, id)
  if (body === Body.WHOLE) return versionAt(octets, at)
  add(body === Body.TORN ? 'torn' : 'foreign')
  return undefined
}

/** Looks a name up and holds what it finds against what the writer had said before, and says now. */
function look(id: number): number {
  const before = Atomics.load(shared.committed, id)
  const part = partOf(id)
  const space = spaces[part]!
  const wire = wires[id]!
  const length = wire.byteLength - NAME_AT - 3
  const entry =
    part === Part.KEPT
      ? reader.findCache(space, wire, NAME_AT, length, 16, 0)
      : reader.findZone(space, wire, NAME_AT, length)
  add('lookups')
  if (entry < 0) {
    add('unknown')
  } else if (entry === 0) {
    add('absent')
    const wasThere = (before & 1) === 1
    if (wasThere && Atomics.load(shared.removing, id) <= before >> 1) add('lost')
  } else {
    add('found')
    const version = checked(entry, id)
    const oldest = (before >> 1) + 1 - (before & 1)
    if (version !== undefined && version < oldest) add('stale')
  }
  return entry
}

let serial = 0
let directoryVersion = 0

/** The directory's suffix has as many octets as its size says, and both tell the version. */
function lookAtDirectory(): void {
  const before = Atomics.load(shared.directory, 0)
  const at = reader.directory(data.directory)
  if (at === 0) return
  if (serial !== reader.serial(at)) {
    serial = reader.serial(at)
    const [cut] = reader.readDirectory(at)!
    directoryVersion = cut!.size
    if (cut!.suffix !== `v${directoryVersion}`) add('torn')
  }
  if (directoryVersion < before) add('stale')
}

function lookAtTemplate(): void {
  const before = Atomics.load(shared.template, 0)
  const at = reader.template(spaces[Part.LASTING]!)
  if (at === 0) return
  const start = (at + Template.OFFSETS + reader.words[at + Template.POINTERS]!) * 4
  const body = inspect(reader.octets, start, reader.words[at + Template.BODY_LENGTH]!, 0)
  if (body !== Body.WHOLE) add(body === Body.TORN ? 'torn' : 'foreign')
  else if (versionAt(reader.octets, start) < before) add('stale')
}

function batch(command: number): void {
  const held: [entry: number, id: number][] = []
  lookAtDirectory()
  lookAtTemplate()
  for (let i = 0; i < BATCH; i++) {
    const id = below(names)
    const entry = look(id)
    if (entry > 0) held.push([entry, id])
  }
  if (command === Command.HOLD) {
    Atomics.store(shared.holding, witness, 1)
    Atomics.wait(shared.commands, witness, Command.HOLD)
  }
  // What was found in a batch stays as it is until its end.
  for (const [entry, id] of held) checked(entry, id)
}

for (let command = 0; command !== Command.END; command = Atomics.load(shared.commands, witness)) {
  reader.enter()
  if (command === Command.THROW) throw new Error('thrown in mid-batch')
  try {
    batch(command)
  } catch {
    // Where memory is used again too early anything may be read, also what points nowhere.
    add('thrown')
  }
  reader.leave()
  add('batches')
}
