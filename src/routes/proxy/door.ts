/** One virtual address of the cluster as this machine has it: where it is listened for, and where it leads. */
import { hostPort } from '../../corefile/addresses.ts'
import { messageOf } from '../../errors.ts'
import type { Clock, Random } from '../../observe/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { SchedulerName } from '../choice/index.ts'
import { nameOf, type Route } from '../route.ts'
import type { Setting } from '../setting.ts'
import type { Front } from './front.ts'
import { leadOf } from './lead.ts'
import { Pool } from './pool.ts'
import { tcpFront } from './tcp-front.ts'
import { udpFront } from './udp-front.ts'

export interface DoorOptions {
  readonly scheduler: SchedulerName
  /** When a session of UDP ends that nothing is said in. */
  readonly idleMs: number
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** A row of the table of what listens where. */
export interface Listening {
  /** `shop/web:http`, or `shop/web` for an unnamed port. */
  readonly service: string
  readonly kind: Route['kind']
  /** `10.96.0.20:80/TCP` */
  readonly virtual: string
  /** `127.0.0.1:8080`; undefined where it is not listened for. */
  readonly local: string | undefined
  /** Why it is not listened for; part of a sentence. */
  readonly problem: string | undefined
}

/** Errors that another port may do without. */
const busy = new Set(['EADDRINUSE', 'EACCES'])

const words: Readonly<Record<string, string>> = {
  EACCES: 'a port below 1024 takes root',
  EADDRINUSE: 'the port is taken',
  EADDRNOTAVAIL: 'this machine does not have the address',
}

export class Door {
  readonly #pool: Pool
  /** None for a protocol that there is no front for. */
  readonly front: Front | undefined
  #route: Route
  #setting: Setting | undefined
  #local: string | undefined
  #problem: string | undefined

  constructor(route: Route, options: DoorOptions) {
    const { clock, random, log, scheduler, idleMs } = options
    this.#route = route
    this.#pool = new Pool({ scheduler, virtualIP: route.ip, clock, random })
    const shared = { name: nameOf(route.destination), pool: this.#pool, clock, log }
    if (route.protocol === 'TCP') this.front = tcpFront(shared)
    else if (route.protocol === 'UDP') this.front = udpFront({ ...shared, idleMs })
    else this.#problem = `${route.protocol} is not supported`
  }

  get row(): Listening {
    const { destination, kind, ip, port, protocol } = this.#route
    const virtual = `${hostPort(ip, port)}/${protocol}`
    return { service: nameOf(destination), kind, virtual, local: this.#local, problem: this.#problem }
  }

  get isOpen(): boolean {
    return this.#local !== undefined
  }

  /** A destination stays one object while its content does, so nothing is done where nothing has changed. */
  lead(route: Route, setting: Setting): void {
    if (route.destination === this.#route.destination && setting === this.#setting) return
    this.#route = route
    this.#setting = setting
    this.#pool.update(leadOf(route, setting))
    this.front?.changed()
  }

  /** Tries the ports one after the other. Returns whether it is open now, or why it is not has become known. */
  async open(address: string, ports: Iterable<number>): Promise<boolean> {
    if (this.front === undefined || this.isOpen) return false
    const before = this.#problem
    for (const port of ports) {
      try {
        await this.front.listen(address, port)
        this.#local = hostPort(address, port)
        this.#problem = undefined
        return true
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : ''
        this.#problem = words[code] ?? messageOf(error)
        if (!busy.has(code)) break
      }
    }
    return this.#problem !== before
  }
}
