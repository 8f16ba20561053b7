/**
 * The addresses that are listened on: their listeners, the engine behind those of UDP, and what the answer table says of each. Which
 * configuration answers, and when it changes, is left to `server.ts`.
 */
import type { HostPort } from '../corefile/addresses.ts'
import type { Clock } from '../observe/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Spaces } from '../table/contract.ts'
import { endpointText, type Instance } from './instance.ts'
import type { Listener, UdpListener } from './listener.ts'
import { PublishedTable } from './published-table.ts'
import { receiveBufferText } from './receive-buffer.ts'
import { responder } from './respond.ts'
import type { Router } from './router.ts'
import { tcpListener } from './tcp.ts'
import { type UdpEngine, type UdpEngineChoice, udpEngine, usualSockets } from './udp-engine.ts'

export interface EndpointsOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly udpEngine: UdpEngineChoice
  readonly answerTable: boolean
}

/** An address that is listened on. */
export interface Served {
  readonly endpoint: HostPort
  readonly udp: UdpListener
  readonly tcp: Listener
  /** In the answer table. */
  readonly directory: number
  /** Who answers. */
  router: Router
}

export class Endpoints {
  readonly #options: EndpointsOptions
  readonly #table: PublishedTable | undefined
  readonly #served = new Map<string, Served>()
  /** From the first `resize` on. */
  #engine: UdpEngine | undefined
  #sockets = 0

  constructor(options: EndpointsOptions) {
    this.#options = options
    this.#table = options.answerTable ? new PublishedTable(options.metrics, options.clock) : undefined
  }

  /** For plugins to publish in. */
  get table(): Spaces | undefined {
    return this.#table?.table
  }

  get listeners(): readonly Listener[] {
    return [...this.#served.values()].flatMap(({ udp, tcp }) => [udp, tcp])
  }

  /** How many sockets each has for UDP; 0 before the first `resize`. */
  get sockets(): number {
    return this.#sockets
  }

  /** Changes the number of sockets, and of threads behind them. Rejects where that cannot be; then all is as before. */
  async resize(sockets: number): Promise<void> {
    if (sockets === this.#sockets) return
    if (this.#engine) await this.#engine.resize(sockets)
    else this.#engine = await udpEngine(this.#options.udpEngine, sockets, { ...this.#options, table: this.#table })
    this.#sockets = sockets
  }

  /**
   * Listens on the addresses that `next` wants and that are not open yet, and has it answer there. Rejects where one cannot be
   * had, and then none of them is open. They are not among `listeners` before `replace`.
   */
  async open(next: Instance): Promise<readonly Served[]> {
    const opened: Served[] = []
    try {
      for (const endpoint of next.endpoints) {
        if (this.#served.has(endpointText(endpoint))) continue
        opened.push(await this.#listen(endpoint, next.router(endpoint)!))
      }
      return opened
    } catch (error) {
      await this.close(opened, 0)
      throw error
    }
  }

  /** From now on `next` answers, on those that were opened for it too. Returns what it does not want any more. */
  replace(next: Instance, opened: readonly Served[]): readonly Served[] {
    for (const served of opened) this.#served.set(endpointText(served.endpoint), served)
    const leaving: Served[] = []
    for (const [key, served] of this.#served) {
      const router = next.router(served.endpoint)
      if (router) {
        served.router = router
      } else {
        this.#served.delete(key)
        leaving.push(served)
      }
    }
    this.republish()
    return leaving
  }

  /** Says in the answer table what the plugins publish now. */
  republish(): void {
    for (const { directory, endpoint, router } of this.#served.values()) {
      this.#table?.publish(directory, endpoint, router)
    }
  }

  async close(leaving: readonly Served[], graceMs: number): Promise<void> {
    await Promise.all(
      leaving.map(async ({ udp, tcp, directory }) => {
        await Promise.all([udp.close(graceMs), tcp.close(graceMs)])
        this.#table?.table.closeDirectory(directory)
      }),
    )
  }

  async closeAll(graceMs: number): Promise<void> {
    const leaving = [...this.#served.values()]
    this.#served.clear()
    await this.close(leaving, graceMs)
  }

  /** Gives back what is behind the listeners, which are closed, and what plugins published in. */
  async stop(): Promise<void> {
    await this.#engine?.stop()
    this.#table?.stop()
  }

  /** Logs in one line how UDP is received, and what to do where its buffer is small. */
  tell(): void {
    const buffers = [...this.#served.values()].map(({ udp }) => udp.receiveBuffer)
    this.#options.log.info(`udp: ${this.#engine?.description}, ${receiveBufferText(Math.min(...buffers))}`)
  }

  async #listen(endpoint: HostPort, router: Router): Promise<Served> {
    const { log, clock, metrics } = this.#options
    const table = this.#table
    const engine = this.#engine!
    const directory = table?.table.openDirectory() ?? 0
    const served = { endpoint, router, directory }
    const panics = metrics.counter('coredns_panics_total', 'Errors of our own while answering.', []).of()
    const respond = responder({ router: () => served.router, log, panics })
    const fromTable = table ? table.first(directory, respond) : respond
    const tcp = tcpListener({ address: endpoint.host, port: endpoint.port, log, clock })
    let udp: UdpListener | undefined
    try {
      // With port 0 the system chooses one for TCP, whose ports are the scarcer ones, and UDP takes the same.
      await tcp.listen(fromTable)
      udp = engine.listener({ address: endpoint.host, port: tcp.port, log, clock }, directory)
      await udp.listen(engine.readsTable ? respond : fromTable)
    } catch (error) {
      await Promise.all([udp?.close(0), tcp.close(0)])
      table?.table.closeDirectory(directory)
      throw error
    }
    return Object.assign(served, { udp, tcp })
  }
}

/** How many sockets `instance` wants for each address: one number for all, as the threads behind them are shared. */
export function socketsOf({ blocks }: Instance): number {
  const wanted = blocks.flatMap(({ sockets }) => sockets ?? [])
  return wanted.length === 0 ? usualSockets() : Math.max(...wanted)
}
