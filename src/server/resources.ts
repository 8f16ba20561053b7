/**
 * Things that outlive a reload (a watch on the API server, a cache): shared by key, closed when the last generation of the
 * configuration that asked for them has stopped.
 */
import type { Resources } from '../plugin/plugin.ts'

interface Shared {
  readonly value: { close(): Promise<void> | void }
  holders: number
}

export class ResourcePool {
  readonly #shared = new Map<string, Shared>()

  /** The resources of one generation. */
  generation(): Resources & { release(): Promise<void> } {
    const held = new Set<string>()
    return {
      share: <T extends { close(): Promise<void> | void }>(key: string, create: () => T): T => {
        let entry = this.#shared.get(key)
        if (entry === undefined) {
          entry = { value: create(), holders: 0 }
          this.#shared.set(key, entry)
        }
        if (!held.has(key)) {
          held.add(key)
          entry.holders++
        }
        return entry.value as T
      },
      release: async () => {
        const keys = [...held]
        held.clear()
        await Promise.all(keys.map(key => this.#release(key)))
      },
    }
  }

  async #release(key: string): Promise<void> {
    const entry = this.#shared.get(key)
    if (entry === undefined || --entry.holders > 0) return
    this.#shared.delete(key)
    await entry.value.close()
  }
}
