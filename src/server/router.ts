/**
 * One port's server blocks, told apart by zone: the longest zone that holds the question's name gets the query.
 */
import type { Block, Next, Reply } from '../plugin/plugin.ts'
import { REFUSED } from '../wire/answer.ts'
import { type NameKey, ROOT } from '../wire/name.ts'
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
  readonly #zones = new Map<string, RunningBlock>()
  readonly #anyClass: boolean
  /** Told of queries that no block takes. */
  readonly #dropped: (query: Query) => void

  constructor(blocks: readonly RunningBlock[], dropped: (query: Query) => void) {
    this.blocks = blocks
    for (const block of blocks) for (const origin of block.origins) this.#zones.set(origin, block)
    this.#anyClass = blocks.some(block => block.plugins.some(plugin => CLASSLESS.has(plugin.name)))
    this.#dropped = dropped
  }

  servesClass(klass: number): boolean {
    return klass === Class.IN || this.#anyClass
  }

  /** Answers through the block that the name belongs to; REFUSED where there is none, and for classes that are not served. */
  answer(query: Query): Reply | Promise<Reply> {
    const origin = this.servesClass(query.class) ? this.#originOf(query) : undefined
    if (origin === undefined) {
      this.#dropped(query)
      return refused
    }
    return this.#zones.get(origin)!.chain(query.origin === origin ? query : query.with({ origin }))
  }

  #originOf({ key, type }: Query): NameKey | undefined {
    let found: NameKey | undefined
    for (let at = 0; ; at += key.charCodeAt(at) + 1) {
      const zone = (at === 0 ? key : key.slice(at)) as NameKey
      const isRoot = zone === ROOT
      if (this.#zones.has(zone) && !(isRoot && found !== undefined)) {
        found = zone
        // A DS record stands in the parent zone (RFC 4035 section 3.1.4.1): look on for one.
        if (type !== Type.DS) return found
      }
      if (isRoot) return found
    }
  }
}
