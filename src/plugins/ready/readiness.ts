/**
 * Who is ready, over all server blocks that report at one address.
 */
import type { Block, Fixture, Freshness, Plugin } from '../../plugin/plugin.ts'
import { textFromKey } from '../../wire/name.ts'

/** A plugin that can say whether it is ready, and what it said last. */
export interface Member {
  readonly name: string
  /** The zones of its server block. */
  readonly zones: string
  readonly ready: boolean
  /** How current what it answers from is; absent where that cannot grow old. */
  readonly freshness: Freshness | undefined
}

export interface Monitoring {
  /** Whether plugins are asked again that were ready once. */
  readonly continuously: boolean
  /** A plugin whose state was not seen to be current for longer than this is not ready, whatever it says; infinite means any age will do. */
  readonly staleMs: number
}

export class Readiness {
  readonly #blocks = new Set<() => Member[]>()
  /** Set once the server listens; while a reload starts its plugins the old ones are asked. */
  listening = false
  /** Set when the process is to end. */
  ending = false

  /** Has the block's plugins count until the returned function is called. */
  add(block: Block, { continuously, staleMs }: Monitoring): () => void {
    const zones = block.origins.map(textFromKey).join(' ')
    const done = new Set<Plugin | Fixture>()
    const members = () =>
      block.plugins.flatMap(plugin => {
        if (plugin.ready === undefined) return []
        const known = done.has(plugin) || plugin.ready()
        if (known && !continuously) done.add(plugin)
        const freshness = plugin.freshness?.()
        const ready = known && (freshness?.staleMs ?? 0) <= staleMs
        return [{ name: plugin.name, zones, ready, freshness }]
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
