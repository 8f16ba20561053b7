/**
 * Small HTTP listeners (health, ready, metrics) that several plugins and two generations of the configuration may share: an
 * address is claimed, and stays open as long as somebody holds it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, Server as SecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { SecureContextOptions } from 'node:tls'
import { PortolanError } from '../errors.ts'

/** Answers a request for one path. A thrown error becomes a 500, or cuts off the response that it had begun. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

/** Serves HTTPS. */
export interface HttpTls extends SecureContextOptions {
  /** Whether clients are asked for a certificate (default no), and must have one that a `ca` here has signed. */
  readonly requestCert?: boolean
  readonly rejectUnauthorized?: boolean
}

/** A claim on an address; the newest claim's handler answers a path. */
export interface HttpClaim {
  /** The real port, where 0 was asked for. */
  readonly port: number
  release(): Promise<void>
}

export interface HttpHub {
  /**
   * Serves `routes` (path to handler) on `address` (`:8080`, `127.0.0.1:9153`, `[::1]:0`). Rejects with PORTOLAN_HTTP_LISTEN
   * where the address cannot be listened on. Of `tls`, the newest claim's certificates are used; whether there is TLS, and
   * whether clients need certificates, must be the same for all claims of an address.
   */
  claim(
    address: string,
    routes: Readonly<Record<string, HttpHandler>>,
    owner: string,
    tls?: HttpTls,
  ): Promise<HttpClaim>
  close(): Promise<void>
}

interface Opened {
  /** What cannot be changed while it is open. */
  readonly mode: string
  readonly server: Server
  readonly listening: Promise<void>
  readonly claims: { readonly routes: Readonly<Record<string, HttpHandler>> }[]
}

/** As CoreDNS: nobody has a reason to be slower, and idle connections would only pile up. */
const TIMEOUTS = { requestTimeout: 5000, headersTimeout: 5000, keepAliveTimeout: 5000 }

export function httpHub(): HttpHub {
  const opened = new Map<string, Opened>()

  function open(key: string, address: string, owner: string, tls: HttpTls | undefined): Opened {
    const claims: Opened['claims'] = []
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      const [path = '/'] = (request.url ?? '/').split('?', 1)
      const routes = claims.findLast(claim => Object.hasOwn(claim.routes, path))?.routes
      void serve(routes?.[path], request, response)
    }
    const server = tls ? createSecureServer({ ...TIMEOUTS, ...tls }, answer) : createServer(TIMEOUTS, answer)
    server.unref()
    const { host, port } = splitAddress(address)
    const listening = new Promise<void>((resolve, reject) => {
      // Once it listens, an error is a connection that could not be taken, for want of descriptors: its client tries again.
      server.on('error', cause => reject(listenError(owner, address, cause)))
      server.listen({ port, ...(host === '' ? {} : { host }) }, resolve)
    })
    const entry = { mode: modeOf(tls), server, listening, claims }
    opened.set(key, entry)
    return entry
  }

  let ephemeral = 0
  return {
    async claim(address, routes, owner, tls) {
      // Port 0 asks for a port of its own each time.
      const key = address.endsWith(':0') ? `${address}#${ephemeral++}` : address
      const entry = opened.get(key) ?? open(key, address, owner, tls)
      try {
        await entry.listening
      } catch (error) {
        opened.delete(key)
        throw error
      }
      if (entry.mode !== modeOf(tls)) throw modeError(owner, address)
      if (tls && entry.server instanceof SecureServer) entry.server.setSecureContext(tls)
      const claim = { routes }
      entry.claims.push(claim)
      return {
        port: (entry.server.address() as AddressInfo).port,
        async release() {
          const index = entry.claims.indexOf(claim)
          if (index < 0) return
          entry.claims.splice(index, 1)
          if (entry.claims.length > 0) return
          opened.delete(key)
          await closed(entry.server)
        },
      }
    },
    async close() {
      const servers = [...opened.values()].map(entry => entry.server)
      opened.clear()
      await Promise.all(servers.map(closed))
    },
  }
}

function modeOf(tls: HttpTls | undefined): string {
  return tls ? `tls ${tls.requestCert ?? false} ${tls.rejectUnauthorized ?? true}` : 'plain'
}

function modeError(owner: string, address: string): PortolanError {
  const what =
    'is served already, and differently: whether with TLS and client certificates can only change by a restart'
  return new PortolanError('PORTOLAN_HTTP_LISTEN', `${owner}: ${address} ${what}`)
}

async function serve(
  handler: HttpHandler | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    if (handler) await handler(request, response)
    else response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n')
  } catch (error) {
    if (response.headersSent) response.destroy()
    else response.writeHead(500, { 'content-type': 'text/plain' }).end(`${error}\n`)
  }
}

function closed(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

/** `:8080` → every address; `[::1]:8080`, `127.0.0.1:8080`. */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }
}

function listenError(owner: string, address: string, cause: Error & { code?: string }): PortolanError {
  const why =
    cause.code === 'EADDRINUSE'
      ? 'the address is in use: stop the program that holds it, or give another one in the Corefile'
      : cause.code === 'EACCES'
        ? 'no permission: ports below 1024 need CAP_NET_BIND_SERVICE'
        : cause.message
  return new PortolanError('PORTOLAN_HTTP_LISTEN', `${owner}: cannot listen on ${address}: ${why}`, { cause })
}
