/**
 * Has the kernel follow the routes in one family. A call that fails is tried again; a service that the kernel refuses is found and left
 * out, so that the others have what they want.
 */

import type { Key } from '../../cluster/objects.ts'
import { messageOf } from '../../errors.ts'
import type { Clock } from '../../observe/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import { ServiceNames } from '../diff/service-names.ts'
import { changes } from '../render/stretch.ts'
import type { Destination } from '../route.ts'
import type { RenderOptions } from '../setting.ts'
import { byService, chosen } from './choice.ts'
import { Held } from './held.ts'
import type { Kernel } from './kernel.ts'

export interface ApplierOptions {
  readonly kernel: Kernel
  readonly clock: Clock
  readonly log: Logger
}

/** What is wanted of a kernel. */
export interface Wanted {
  /** Of the kernel's family, in the table's order. */
  readonly destinations: readonly Destination[]
  readonly options: RenderOptions
}

/** What a sync has done. */
export interface Synced {
  /** Services whose rules are others than before. */
  readonly services: readonly Key[]
  /** Whether everything was loaded, whatever the kernel had. */
  readonly whole: boolean
  /** Destinations that are in the kernel now, and those that were before. */
  readonly before: readonly Destination[]
  readonly after: readonly Destination[]
}

/** How often loading may fail while the service that is refused is looked for, before something else must be the matter. */
const mostRefusals = 200

export class Applier {
  readonly #kernel: Kernel
  readonly #log: Logger
  readonly #held: Held
  /** What the kernel was given last; undefined before the first time. */
  #loaded: readonly Destination[] | undefined
  /** Whether the kernel has it. */
  #certain = false
  #options: RenderOptions | undefined
  #failures = 0

  constructor({ kernel, clock, log }: ApplierOptions) {
    this.#kernel = kernel
    this.#log = log
    this.#held = new Held(clock)
  }

  /** The services that the kernel refuses. */
  get refused(): readonly Key[] {
    return this.#held.keys()
  }

  /** When a service that was refused is to be tried again, in milliseconds of `clock.monotonic`; undefined where there is none. */
  get nextTry(): number | undefined {
    return this.#held.next
  }

  /** Compares the kernel with what it was given: a line for each difference. Where there is one, the next `sync` loads everything. */
  async check(): Promise<string[]> {
    if (this.#loaded === undefined || this.#options === undefined) return []
    // An attempt that failed may have left the rules at what was wanted then.
    this.#kernel.rules.update(this.#loaded, this.#options)
    const found = await this.#kernel.check(new ServiceNames(this.#loaded))
    if (found.length > 0) this.#certain = false
    return found
  }

  /** Has the kernel have what is wanted. Rejects with PORTOLAN_APPLY_REFUSED where it must be tried again; nothing is lost by that. */
  async sync(wanted: Wanted): Promise<Synced> {
    const [before, whole] = [this.#loaded ?? [], !this.#certain]
    try {
      await this.#bring(wanted)
    } catch (error) {
      this.#failures++
      throw error
    }
    this.#failures = 0
    await this.#retryHeld(wanted)
    const after = this.#loaded ?? []
    return { services: changedServices(before, after), whole, before, after }
  }

  async #bring(wanted: Wanted): Promise<void> {
    const target = this.#held.size === 0 ? wanted.destinations : this.#without(wanted.destinations, this.#held.keys())
    // The first time a call may have failed for any reason, and the same again may do.
    if (this.#failures === 0) return this.#load(target, wanted)
    if (this.#failures === 1 && this.#certain) await this.#doubt()
    try {
      await this.#load(target, wanted)
    } catch (error) {
      if (this.#failures < 2) throw error
      this.#log.warning(`${messageOf(error)}; looking for the service that is refused`)
      await this.#divide(target, wanted)
    }
  }

  /** A change may be refused since it is none to what the kernel really has. */
  async #doubt(): Promise<void> {
    try {
      for (const line of await this.check()) this.#log.warning(`somebody else has changed it: ${line}`)
    } catch (error) {
      this.#certain = false
      this.#log.warning(`not compared with the kernel, everything is loaded: ${messageOf(error)}`)
    }
  }

  /** What the kernel has of these services, and what is wanted of all others. */
  #without(wanted: readonly Destination[], services: readonly Key[]): readonly Destination[] {
    const left = new Set(services)
    return chosen(this.#loaded ?? [], wanted, service => !left.has(service))
  }

  async #load(destinations: readonly Destination[], { options }: Wanted): Promise<void> {
    this.#kernel.rules.update(destinations, options)
    if (this.#certain) await this.#kernel.loadChange()
    else await this.#kernel.loadWhole()
    this.#loaded = destinations
    this.#certain = true
    this.#options = options
  }

  /** Loads what can be loaded of what has changed, half by half, and holds back what cannot. */
  async #divide(target: readonly Destination[], wanted: Wanted): Promise<void> {
    // Where one of these fails it is not for a service's sake.
    await this.#kernel.probe()
    await this.#load(this.#loaded ?? [], wanted)
    const refusals = { left: mostRefusals }
    const take = async (services: readonly Key[]): Promise<void> => {
      const some = new Set(services)
      try {
        await this.#load(
          chosen(this.#loaded ?? [], target, service => some.has(service)),
          wanted,
        )
      } catch (error) {
        if (--refusals.left === 0) throw error
        if (services.length > 1) return takeHalves(services)
        const [service] = services as [Key]
        this.#hold(service, wanted.destinations, error)
      }
    }
    const takeHalves = async (services: readonly Key[]): Promise<void> => {
      const half = Math.ceil(services.length / 2)
      await take(services.slice(0, half))
      if (services.length > 1) await take(services.slice(half))
    }
    const services = changedServices(this.#loaded ?? [], target)
    if (services.length > 0) await takeHalves(services)
  }

  #hold(service: Key, wanted: readonly Destination[], error: unknown): void {
    const pause = this.#held.hold(service, byService(wanted).get(service))
    const again = `it is tried again in ${Math.round(pause / 1000)} s, or when it changes`
    this.#log.error(`service ${service} is left out, its rules stay as they were: ${messageOf(error)}; ${again}`)
  }

  /** Tries again what was refused, each by itself, where its time has come or it is another one now. */
  async #retryHeld(wanted: Wanted): Promise<void> {
    if (this.#held.size === 0) return
    for (const service of this.#held.due(byService(wanted.destinations))) {
      const others = this.#held.keys().filter(other => other !== service)
      try {
        await this.#load(this.#without(wanted.destinations, others), wanted)
        this.#held.release(service)
        this.#log.info(`service ${service} is taken now`)
      } catch (error) {
        this.#hold(service, wanted.destinations, error)
      }
    }
  }
}

/** The services of which something differs. */
function changedServices(before: readonly Destination[], after: readonly Destination[]): Key[] {
  const { gone, fresh } = changes(before, after)
  return [...new Set([...gone, ...fresh].map(({ service }) => service))].sort()
}
