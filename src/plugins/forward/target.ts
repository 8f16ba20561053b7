/** One upstream of `forward`: its connections, its health, its metrics. */
import type { SecureContext } from 'node:tls'
import { hostPort } from '../../corefile/addresses.ts'
import { httpsUpstream } from '../../net/https-upstream.ts'
import { tcpUpstream } from '../../net/tcp-upstream.ts'
import { udpUpstream } from '../../net/udp-upstream.ts'
import type { Upstream, UpstreamOptions } from '../../net/upstream.ts'
import type { Clock } from '../../observe/clock.ts'
import type { Response } from '../../wire/message.ts'
import type { Protocol } from '../../wire/query.ts'
import type { Destination } from './destinations.ts'
import { Health } from './health.ts'
import type { UpstreamMeasures } from './measures.ts'
import type { ForwardOptions } from './options.ts'
import { healthQuery } from './upstream-query.ts'

/** How long a health check waits for its reply, and for a connection. */
const CHECK_READ_MS = 1_000
const CHECK_CONNECT_MS = 2_000

/** What the upstreams of one `forward` have in common. */
export interface Shared {
  readonly options: ForwardOptions
  /** For those that speak TLS or HTTPS. */
  readonly context: () => SecureContext
  readonly clock: Clock
  readonly measuresOf: (to: string) => UpstreamMeasures
}

export class Target {
  readonly health: Health
  readonly #clock: Clock
  readonly #measures: UpstreamMeasures
  readonly #readMs: number
  /** Undefined where only TLS or HTTPS is spoken. */
  readonly #udp: Upstream | undefined
  /** TCP, TLS or HTTPS. */
  readonly #tcp: Upstream

  constructor(destination: Destination, { options, context, clock, measuresOf }: Shared) {
    const { host, port, transport, serverName = options.tlsServerName } = destination
    const measures = measuresOf(hostPort(host, port))
    const { expireMs, maxAgeMs, maxIdle, sourceAddress } = options
    const ends: UpstreamOptions = { address: host, port, clock, sourceAddress, expireMs, maxAgeMs, maxIdle }
    this.#clock = clock
    this.#measures = measures
    this.#readMs = options.readTimeoutMs
    if (transport === 'https') {
      const tls = { context: context(), serverName }
      this.#tcp = httpsUpstream({ ...ends, tls, method: options.dohMethod, onSocket: measures.socket('https') })
    } else if (transport === 'tls') {
      const tls = { context: context(), serverName }
      this.#tcp = tcpUpstream({ ...ends, tls, onSocket: measures.socket('tcp-tls') })
    } else {
      this.#udp = udpUpstream({ ...ends, onSocket: measures.socket('udp') })
      this.#tcp = tcpUpstream({ ...ends, onSocket: measures.socket('tcp') })
    }
    const checked = options.forceTcp ? this.#tcp : (this.#udp ?? this.#tcp)
    this.health = new Health({
      clock,
      intervalMs: options.healthCheckMs,
      maxFails: options.maxFails,
      probe: () => {
        const query = healthQuery(options.healthCheckDomain, options.healthCheckRecursion)
        return checked.exchange(query, CHECK_READ_MS, CHECK_CONNECT_MS)
      },
      onFailure: () => measures.healthcheckFailed(),
    })
  }

  /** Asks once, by `protocol` unless this upstream speaks TLS or HTTPS. Rejects as `Upstream.exchange` does. */
  async exchange(query: Uint8Array, protocol: Protocol, connectMs: number): Promise<Response> {
    const begun = this.#clock.monotonic()
    const upstream = (protocol === 'udp' ? this.#udp : undefined) ?? this.#tcp
    const response = await upstream.exchange(query, this.#readMs, connectMs)
    this.#measures.replied(response.answer.rcode, (this.#clock.monotonic() - begun) / 1000)
    return response
  }

  close(): void {
    this.health.stop()
    this.#udp?.close()
    this.#tcp.close()
  }
}
