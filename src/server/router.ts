/**
 * One port's server blocks, told apart by zone: the longest zone that holds the question's name gets the query.
 */
import type { Block, Next, Reply } from '../plugin/plugin.ts'
import { REFUSED } from '../wire/answer.ts'
import { MAX_NAME, type NameKey, ROOT } from '../wire/name.ts'
import type { Query } from '../wire/query.ts'
import { Class, Type } from '../wire/types.ts'

/** A server block that is being served. */
export interface RunningBlock extends Block {
  readonly chain: Next
}

const refused: Reply = { answer: REFUSED, plugin: '' }

/** Plugins with which a port answers other classes than IN, as CoreDNS. */
const CLASSLESS = new Set(['chaos', 'forward'])

export class Router {
  readonly blocks: readonly RunningBlock[]
  readonly #zones = new Map<NameKey, RunningBlock>()
  /** By length, whether there is a zone of that length: most ends of a name need not be cut out and looked up. */
  readonly #lengths: readonly boolean[]
  readonly #anyClass: boolean
  /** Told of queries that no block takes. */
  readonly #dropped: (query: Query) => void
  /** How many replies are still being made, and who waits until there are none. */
  #pending = 0
  #settled: PromiseWithResolvers<void> | undefined

  constructor(blocks: readonly RunningBlock[], dropped: (query: Query) => void) {
    this.blocks = blocks
    for (const block of blocks) for (const origin of block.origins) this.#zones.set(origin, block)
    this.#lengths = Array.from({ length: MAX_NAME + 1 }, (_, length) =>
      blocks.some(block => block.origins.some(origin => origin.length === length)),
    )
    this.#anyClass = blocks.some(block => block.plugins.some(plugin => CLASSLESS.has(plugin.name)))
    this.#dropped = dropped
  }

  /** The zones of all blocks. */
  get origins(): Iterable<NameKey> {
    return this.#zones.keys()
  }

  /** The longest zone that holds the name (where questions of all types but DS go), and its block; undefined where there is none. */
  blockOf(key: NameKey): { readonly origin: NameKey; readonly block: RunningBlock } | undefined {
    const origin = this.#originOf(key)
    return origin === undefined ? undefined : { origin, block: this.#zones.get(origin)! }
  }

  servesClass(klass: number): boolean {
    return klass === Class.IN || this.#anyClass
  }

  /** Answers through the block that the name belongs to; REFUSED where there is none, and for classes that are not served. */
  answer(query: Query): Reply | Promise<Reply> {
    const origin = this.servesClass(query.class) ? this.#originOf(query.key, query.type) : undefined
    if (origin === undefined) {
      this.#dropped(query)
      return refused
    }
    const reply = this.#zones.get(origin)!.chain(query.origin === origin ? query : query.with({ origin }))
    if (reply instanceof Promise) {
      this.#pending++
      reply.then(this.#done, this.#done)
    }
    return reply
  }

  /** Resolves when no reply is being made. */
  async settled(): Promise<void> {
    if (this.#pending > 0) await (this.#settled ??= Promise.withResolvers()).promise
  }

  readonly #done = (): void => {
    if (--this.#pending > 0) return
    this.#settled?.resolve()
    this.#settled = undefined
  }

  #originOf(key: NameKey, type?: number): NameKey | undefined {
    let found: NameKey | undefined
    for (let at = 0; ; at += key.charCodeAt(at) + 1) {
      const length = key.length - at
      if (this.#lengths[length] && !(length === ROOT.length && found !== undefined)) {
        const zone = key.slice(at) as NameKey
        if (this.#zones.has(zone)) {
          found = zone
          // A DS record stands in the parent zone (RFC 4035 section 3.1.4.1): look on for one.
          if (type !== Type.DS) return found
        }
      }
      if (length === ROOT.length) return found
    }
  }
}
