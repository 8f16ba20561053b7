/**
 * The health check ports of services with externalTrafficPolicy Local: load balancers ask each node whether it has endpoints. Ports, headers
 * and bodies as kube-proxy 1.34.
 */
import { createServer, type Server } from 'node:http'
import type { Key } from '../../cluster/objects.ts'
import { hostPort } from '../../corefile/addresses.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Destination } from '../route.ts'

export interface HealthCheck {
  readonly service: Key
  readonly port: number
  /** How many of its endpoints are on this node, and ready. */
  readonly localEndpoints: number
}

/** What is to be served for these destinations of one family, ordered by port; a port that several services claim is the first one's. */
export function healthChecks(destinations: readonly Destination[], node: string): HealthCheck[] {
  const found = new Map<number, { readonly service: Key; readonly ips: Set<string> }>()
  for (const { service, healthCheckNodePort, backends } of destinations) {
    if (healthCheckNodePort === 0) continue
    const entry = found.get(healthCheckNodePort) ?? { service, ips: new Set() }
    found.set(healthCheckNodePort, entry)
    if (entry.service !== service) continue
    for (const { ip, ready, nodeName } of backends) if (ready && nodeName !== '' && nodeName === node) entry.ips.add(ip)
  }
  return Array.from(found, ([port, { service, ips }]) => ({ service, port, localEndpoints: ips.size })).sort(
    (a, b) => a.port - b.port,
  )
}

export interface HealthServersOptions {
  readonly log: Logger
  /** Whether the rules are what they are to be: else load balancers had better ask another node. */
  readonly healthy: () => boolean
}

export class HealthServers {
  readonly #options: HealthServersOptions
  /** By address and port. */
  readonly #servers = new Map<string, Server>()
  /** Addresses that could not be listened on, of which it was told. */
  readonly #failed = new Set<string>()
  #checks: ReadonlyMap<number, HealthCheck> = new Map()

  constructor(options: HealthServersOptions) {
    this.#options = options
  }

  /** Serves these at these addresses, and nothing else. Resolves once it does; what cannot be listened on is logged, and tried again next time. */
  async serve(checks: readonly HealthCheck[], addresses: readonly string[]): Promise<void> {
    this.#checks = new Map(checks.map(check => [check.port, check]))
    const wanted = new Map(
      checks.flatMap(({ port }) => addresses.map(ip => [hostPort(ip, port), { ip, port }] as const)),
    )
    for (const key of [...this.#servers.keys()].filter(key => !wanted.has(key))) await this.#close(key)
    for (const [key, { ip, port }] of wanted) if (!this.#servers.has(key)) await this.#open(key, ip, port)
  }

  async close(): Promise<void> {
    for (const key of [...this.#servers.keys()]) await this.#close(key)
  }

  #open(key: string, host: string, port: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const server = createServer((_, response) => {
      const check = this.#checks.get(port)
      if (check === undefined) return response.writeHead(404).end()
      const { status, headers, body } = answerOf(check, this.#options.healthy())
      response.writeHead(status, headers).end(body)
    })
    server.once('error', ({ message }) => {
      if (!this.#failed.has(key)) this.#options.log.error(`no health checks at ${key}: ${message}`)
      this.#failed.add(key)
      resolve()
    })
    // Without this, `::` would take the port of IPv4 as well, which is served by itself.
    server.listen({ host, port, ipv6Only: true }, () => {
      server.removeAllListeners('error').on('error', ({ message }) => this.#options.log.error(`${key}: ${message}`))
      this.#failed.delete(key)
      this.#servers.set(key, server)
      resolve()
    })
    return promise
  }

  #close(key: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const server = this.#servers.get(key)!
    this.#servers.delete(key)
    server.close(() => resolve())
    server.closeAllConnections()
    return promise
  }
}

export function answerOf({ service, localEndpoints }: HealthCheck, healthy: boolean) {
  const [namespace, name] = service.split('/')
  const body = { service: { namespace, name }, localEndpoints, serviceProxyHealthy: healthy }
  return {
    status: localEndpoints > 0 && healthy ? 200 : 503,
    headers: {
      'Content-Type': 'application/json',
      'X-Content-Type-Options': 'nosniff',
      'X-Load-Balancing-Endpoint-Weight': `${localEndpoints}`,
    },
    body: JSON.stringify(body, null, '\t'),
  }
}
