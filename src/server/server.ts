/**
 * The running server: listeners, the generation of the configuration that they serve, and the change from one to the next.
 */
import { readFileSync } from 'node:fs'
import { type CorefileWarning, warningText } from '../corefile/errors.ts'
import type { Environment } from '../corefile/lexer.ts'
import type { ParseOptions } from '../corefile/parser.ts'
import { messageOf, PortolanError } from '../errors.ts'
import type { HttpHub } from '../net/http-hub.ts'
import type { Clock, Random } from '../observe/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import { DROPPED, trafficMetrics } from '../observe/traffic.ts'
import type { PluginDefinition } from '../plugin/plugin.ts'
import { REFUSED } from '../wire/answer.ts'
import { Endpoints, type Served, socketsOf } from './endpoints.ts'
import { atMost } from './grace.ts'
import { Instance, type Surroundings } from './instance.ts'
import type { Listener } from './listener.ts'
import { ResourcePool } from './resources.ts'
import type { UdpEngineChoice } from './udp-engine.ts'

export interface ServerOptions {
  /** The Corefile's path; read at start and at each reload. */
  readonly corefile: string
  /** Instead of reading the path. */
  readonly text?: string
  readonly env: Environment
  /** The port of keys that name none. */
  readonly port: number
  readonly plugins: readonly PluginDefinition[]
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: Metrics
  readonly http: HttpHub
  /** How UDP is received and sent; `auto` by default. */
  readonly udpEngine?: UdpEngineChoice
  /** Whether compiled answers are kept in memory that answer threads share; without it every query goes through the plugins. Default true. */
  readonly answerTable?: boolean
  /** Ends the process with a readable reason. */
  readonly fail: (reason: Error) => void
}

/** How long queries in flight may take to be answered where a listener closes, or the configuration they met is replaced. */
const GRACE_MS = 5_000

export class Server {
  readonly #options: ServerOptions
  readonly #pool = new ResourcePool()
  /** While it runs. */
  #endpoints: Endpoints | undefined
  #instance: Instance | undefined
  #release: (() => Promise<void>) | undefined
  /** The hash of the Corefile that was loaded last, taken or not. */
  #tried: string | undefined
  /** The reload (or start) under way; another waits for it. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: ServerOptions) {
    this.#options = options
  }

  /** The generation being served. Throws before `start`. */
  get instance(): Instance {
    if (this.#instance === undefined) throw new PortolanError('PORTOLAN_NOT_STARTED', 'the server is not started')
    return this.#instance
  }

  get listeners(): readonly Listener[] {
    return this.#endpoints?.listeners ?? []
  }

  /** Reads the Corefile, starts its plugins and listens. Throws a PortolanError with one readable sentence. */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      const { udpEngine = 'auto', answerTable = true, clock, log, metrics } = this.#options
      this.#endpoints ??= new Endpoints({ udpEngine, answerTable, clock, log, metrics })
      try {
        await this.#change(this.#endpoints)
      } catch (error) {
        await this.#endpoints.stop()
        this.#endpoints = undefined
        throw error
      }
      this.#endpoints.tell()
    })
  }

  /** Serves the Corefile as it is now; a bad one is logged and the old configuration stays. Resolves to whether it was taken: never by a server that is not running. */
  reload(): Promise<boolean> {
    return this.#inTurn(async () => {
      // It may have waited for the end.
      if (this.#endpoints === undefined) return false
      try {
        await this.#change(this.#endpoints)
        this.#options.log.info('Reloading complete')
        return true
      } catch (error) {
        this.#options.log.error(`the old configuration stays: ${messageOf(error)}`)
        return false
      }
    })
  }

  /** Lets plugins drain while queries are still answered, answers what is in flight, and gives everything back. */
  stop(): Promise<void> {
    return this.#inTurn(async () => {
      const { log } = this.#options
      await this.#instance?.drain().catch(error => log.error(`a plugin did not drain: ${messageOf(error)}`))
      await this.#endpoints?.closeAll(GRACE_MS)
      await this.#instance?.stop().catch(error => log.error(`a plugin did not stop: ${messageOf(error)}`))
      await this.#release?.().catch(error => log.error(`not everything was closed: ${messageOf(error)}`))
      this.#instance = undefined
      this.#release = undefined
      await this.#endpoints?.stop()
      this.#endpoints = undefined
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  async #change(endpoints: Endpoints): Promise<void> {
    const resources = this.#pool.generation()
    const { sockets } = endpoints
    let next: Instance | undefined
    let opened: readonly Served[]
    try {
      const text = this.#text()
      this.#tried = Instance.hash(text, this.#parseOptions(false))
      next = Instance.load(text, this.#parseOptions(true), this.#surroundings(endpoints, resources))
      await next.start()
      // More sockets may be refused, fewer never: that waits until the rest has succeeded.
      await endpoints.resize(Math.max(socketsOf(next), sockets))
      opened = await endpoints.open(next)
    } catch (error) {
      await this.#retire(next, resources.release)
      if (sockets > 0) await endpoints.resize(sockets)
      throw error
    }
    const leaving = endpoints.replace(next, opened)
    next.listening(endpoints.listeners)
    const old = this.#instance
    const releaseOld = this.#release
    this.#instance = next
    this.#release = resources.release
    await endpoints.resize(socketsOf(next))
    await endpoints.close(leaving, GRACE_MS)
    await this.#retire(old, releaseOld)
  }

  /** Stops a generation that gets no more queries. It is not being served, so what goes wrong here is only told. */
  async #retire(instance: Instance | undefined, release: (() => Promise<void>) | undefined): Promise<void> {
    const { clock, log } = this.#options
    try {
      // Its plugins may still wait for an upstream: to stop them would fail those queries.
      if (instance) await atMost(clock, GRACE_MS, instance.settled())
      try {
        await instance?.stop()
      } finally {
        await release?.()
      }
    } catch (error) {
      log.error(`a plugin of the old configuration did not stop: ${messageOf(error)}`)
    }
  }

  #text(): string {
    const { corefile, text } = this.#options
    if (text !== undefined) return text
    try {
      return readFileSync(corefile, 'utf8')
    } catch (cause) {
      throw new PortolanError('PORTOLAN_COREFILE_READ', `cannot read the Corefile ${corefile}: ${messageOf(cause)}`, {
        cause,
      })
    }
  }

  #parseOptions(warnings: boolean): ParseOptions {
    const { corefile, env, port, log } = this.#options
    const warn = (warning: CorefileWarning) => log.warning(warningText(warning))
    return { file: corefile, env, port, ...(warnings ? { warn } : {}) }
  }

  #surroundings(endpoints: Endpoints, resources: Surroundings['resources']): Surroundings {
    const { plugins, clock, random, log, metrics, http, fail } = this.#options
    return {
      plugins,
      clock,
      random,
      log,
      metrics,
      http,
      resources,
      table: endpoints.table,
      republish: () => endpoints.republish(),
      dropped: label => {
        const traffic = trafficMetrics(metrics).of(label, DROPPED)
        return query => traffic.count(query, REFUSED, '', 0)
      },
      control: {
        corefileChanged: async () => Instance.hash(this.#text(), this.#parseOptions(false)) !== this.#tried,
        reload: () => this.reload(),
        fail,
      },
    }
  }
}
