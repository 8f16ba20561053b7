/** Questions over HTTP that are answered with JSON: the parameters of a request, and what is wrong with one. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { hint } from '../corefile/nearest.ts'
import { PortolanError } from '../errors.ts'

/** What the Corefile says in the place of parameters that a request leaves out, by name. */
export type Defaults = ReadonlyMap<string, string>

/** The parameters of a request, with defaults in the place of those that it leaves out. */
export class Parameters {
  readonly #given: URLSearchParams
  readonly #defaults: Defaults

  /** Throws PORTOLAN_USAGE for one that is not known. */
  constructor({ url = '' }: IncomingMessage, known: readonly string[], defaults: Defaults) {
    this.#given = new URLSearchParams(url.split('?', 2)[1])
    this.#defaults = defaults
    for (const name of this.#given.keys()) {
      if (!known.includes(name))
        throw new PortolanError('PORTOLAN_USAGE', `there is no parameter "${name}"${hint(name, known)}`)
    }
  }

  text(name: string): string | undefined {
    return this.#given.get(name) ?? this.#defaults.get(name)
  }

  has(name: string): boolean {
    const text = this.text(name)
    return text !== undefined && text !== 'false' && text !== '0'
  }
}

/** Answers what is no GET or HEAD; tells whether it did. */
export function refusesMethod({ method }: IncomingMessage, response: ServerResponse): boolean {
  if (method === 'GET' || method === 'HEAD') return false
  response.setHeader('allow', 'GET, HEAD')
  refuse(response, 405, 'PORTOLAN_HTTP_METHOD', `${method} changes nothing here: use GET`)
  return true
}

export function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  sendJson(response, status, { error: { code, message } })
}

/** What is not known yet is known a little later. */
export function refuseForNow(response: ServerResponse, code: string, message: string): void {
  response.setHeader('retry-after', '1')
  refuse(response, 503, code, message)
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, 'application/json', `${JSON.stringify(body)}\n`)
}

/** To HEAD Node sends the head alone. */
export function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body)
}
