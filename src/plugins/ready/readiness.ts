/**
 * Who is ready, over all server blocks that report at one address.
 */
import type { Block, Fixture, Plugin } from '../../plugin/plugin.ts'
import { textFromKey } from '../../wire/name.ts'

/** A plugin that can say whether it is ready, and what it said last. */
export interface Member {
  readonly name: string
  /** The zones of its server block. */
  readonly zones: string
  readonly ready: boolean
}

export class Readiness {
  readonly #blocks = new Set<() => Member[]>()
  /** Set once the server listens; while a reload starts its plugins the old ones are asked. */
  listening = false
  /** Set when the process is to end. */
  ending = false

  /**
   * Has the block's plugins count until the returned function is called. A plugin that was ready once is not asked again,
   * unless `continuously`.
   */
  add(block: Block, continuously: boolean): () => void {
    const zones = block.origins.map(textFromKey).join(' ')
    const done = new Set<Plugin | Fixture>()
    const members = () =>
      block.plugins.flatMap(plugin => {
        if (plugin.ready === undefined) return []
        const ready = done.has(plugin) || plugin.ready()
        if (ready && !continuously) done.add(plugin)
        return [{ name: plugin.name, zones, ready }]
      })
    this.#blocks.add(members)
    return () => void this.#blocks.delete(members)
  }

  /** Asks all plugins. */
  members(): Member[] {
    return [...this.#blocks].flatMap(members => members())
  }

  close(): void {
    this.#blocks.clear()
  }
}
