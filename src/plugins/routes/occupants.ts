/** Whose routes are served at an address: those of one cluster. */
import { PortolanError } from '../../errors.ts'
import type { Resources } from '../../plugin/plugin.ts'

export class Occupants {
  readonly #address: string
  /** The cluster of each generation of the configuration. */
  readonly #clusters = new WeakMap<Resources, string>()

  constructor(address: string) {
    this.#address = address
  }

  /** Throws where another cluster's routes are served there in the same generation. */
  enter(generation: Resources, cluster: string): void {
    const other = this.#clusters.get(generation)
    if (other !== undefined && other !== cluster) {
      const what = `routes: ${this.#address} has the routes of another server block's cluster: give each an address of its own`
      throw new PortolanError('PORTOLAN_ROUTES_ADDRESS', what)
    }
    this.#clusters.set(generation, cluster)
  }

  close(): void {
    // Nothing is held: generations are forgotten as they go.
  }
}
