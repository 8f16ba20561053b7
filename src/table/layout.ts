/**
 * What stands where in the shared memory of the answer table. The control thread alone writes; answer threads read through the
 * protocol of `README.md`. All words are 32 bits wide, the octet of least value first.
 *
 * The arena is made of units of 16 octets; a `ref` is the number of a unit, and its block starts there. Units 0 and 1 hold zeros
 * for ever: no block is there.
 */
export { Rotation } from '../wire/rotation.ts'

/** Octets of a unit of the arena. */
export const UNIT = 16

/** The word of a block, of whatever kind, that says how many units it has. */
export const UNITS = 2

/** The two pieces of shared memory that make a table. They belong to the process and may be passed to workers. */
export interface TableMemory {
  /** Entries, the index, directories. Growable: it only grows, in place. */
  readonly arena: SharedArrayBuffer
  /** The words that are read and written with Atomics. */
  readonly control: SharedArrayBuffer
}

/** Words of a cache line (of two, as processors fetch them in pairs): what different threads write stands that far apart. */
export const LINE = 32

/** The most threads that may read a table at once, and what else has a fixed number of places in `control`. */
export const MAX_READERS = 64
export const MAX_DIRECTORIES = 256
export const MAX_SPACES = 1024

/** Where words stand in `control`, as indexes of an Int32Array. */
export const Control = {
  /** The ref of the index. */
  ROOT: 0,
  /** The epoch; it moves at the end of each commit, and is never 0. */
  EPOCH: LINE,
  /** The key of the hash: two words, written once. */
  HASH_KEY: 2 * LINE,
  /** By number of a directory, its ref; 0 while there is none: then everything is asked of the control thread. */
  DIRECTORIES: 3 * LINE,
  /** By space, the ref of its negative template; 0 while it has none. */
  TEMPLATES: 3 * LINE + MAX_DIRECTORIES,
  /** A line for each reader: its state, the epoch at which its batch began, or 0 while it reads nothing. */
  READERS: 3 * LINE + MAX_DIRECTORIES + MAX_SPACES,
  WORDS: 3 * LINE + MAX_DIRECTORIES + MAX_SPACES + MAX_READERS * LINE,
} as const

/** The index: its header, then `capacity` (a power of two) slots, each the ref of an entry or one of these. */
export const Index = { CAPACITY: 0, SLOTS: 4 } as const
export const EMPTY = 0
export const DELETED = 1
/** A look-up gives up after as many slots; what it did not find it does not know to be absent. */
export const MAX_PROBES = 64

/** What is said of a name and type. */
export const Verdict = {
  /** The name exists, the type does not. */
  NODATA: 0,
  NXDOMAIN: 1,
  /** The control thread is to be asked. */
  ASK: 2,
  /** There is a compiled answer. */
  ANSWER: 3,
} as const
export type Verdict = (typeof Verdict)[keyof typeof Verdict]

/**
 * An entry. Words, from its start:
 *
 * ```
 * 0  hash
 * 1  space << 16 | octets of the name << 8 | kind
 * 2  units of the block
 * 3  zone: records << 16 | below << 8 | other      cache: type << 16 | DO << 1 | CD
 * 4… the name in wire form, A to Z lowered, filled up with zeros to a whole word; in a cache entry the name once more, in the letter
 *    case in which owners are told
 *    then the answer records, `AnswerRecord.WORDS` each (a cache entry has one, and behind it when it was stored), then their
 *    bodies, each from a whole word on
 * ```
 */
export const Entry = { HASH: 0, KEY: 1, META: 3, NAME: 4 } as const
export const Kind = { ZONE: 0, CACHE: 1 } as const

/**
 * How names behave that do not exist below one that does, by the number of labels between: bits of `below`. A clear bit is
 * NXDOMAIN where the cut is closed, a set one ASK. `ODD_PORTS` is for two labels that are not both spelled as in `_http._tcp`
 * (RFC 2782): names that are spelled so are all there, and clients ask for many that are not (`_grpclb._tcp`).
 */
export const Below = { ONE_LABEL: 1, TWO_LABELS: 2, MORE_LABELS: 4, ODD_PORTS: 8, ALL: 7, CLOSED: 0 } as const

/** What stands in an entry for one type. Words, from its start. */
export const AnswerRecord = {
  /** type << 16 | verdict << 8 | `Rotation` */
  TYPE: 0,
  /** `bits | rcode` << 16 | `copied`, as in `Answer` */
  HEADER: 1,
  /** answers << 16 | authorities */
  COUNTS: 2,
  /** additionals << 16 | the first record that may move, where `Rotation` says some may */
  MORE_COUNTS: 3,
  /** Seconds, the same for all records. */
  TTL: 4,
  /** Octets from the start of the entry. */
  BODY_AT: 5,
  BODY_LENGTH: 6,
  WORDS: 7,
  /** Of a cache entry, behind its record: milliseconds of the process's monotonic clock when it was stored, as two words. */
  STORED_LOW: 7,
  STORED_HIGH: 8,
  STORED_WORDS: 2,
} as const

/**
 * The negative template of a zone. Its pointers are right for names of `NAME_LENGTH` octets: with each octet that a name has more
 * or less, they point one further or less far.
 */
export const Template = {
  /** `bits | rcode` << 16 | `copied`, the rcode being that of NODATA. */
  HEADER: 0,
  /** answers << 16 | authorities */
  COUNTS: 1,
  ADDITIONALS: 3,
  /** Seconds, the same for all records. */
  TTL: 4,
  NAME_LENGTH: 5,
  /** How many pointers there are, and from here on a word for each: where it stands in the body. Then the body. */
  POINTERS: 6,
  BODY_LENGTH: 7,
  OFFSETS: 8,
} as const

/** A directory: JSON in UTF-8. */
export const DirectoryBlock = {
  /** A number that no other directory of the table ever has; refs come again. */
  SERIAL: 0,
  /** Octets of the text. */
  LENGTH: 1,
  TEXT: 4,
} as const
