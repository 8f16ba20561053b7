/** What is asked over HTTP: reads a request, and answers it with JSON or plain text, or says what is wrong with it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { hint } from '../../corefile/nearest.ts'
import { PortolanError } from '../../errors.ts'
import type { HttpHandler } from '../../net/http-hub.ts'
import { list } from '../../routes/facts/list.ts'
import { lookup } from '../../routes/facts/lookup.ts'
import { type Question, questionError, type Said } from '../../routes/facts/question.ts'
import { type Rules, rules } from '../../routes/facts/rules.ts'
import type { ServedRoutes } from './served-routes.ts'

/** What the Corefile says in the place of parameters that a request leaves out, by name. */
export type Defaults = ReadonlyMap<string, string>

const known = [
  ...['address', 'form', 'node', 'from', 'family'],
  ...['cluster-cidr', 'masquerade-all', 'nodeport-addresses', 'no-jumps'],
]

/** The handlers by path. */
export function handlers(served: ServedRoutes, defaults: Defaults): Record<string, HttpHandler> {
  return {
    '/routes': handler(served, inTurn(served, defaults, list, sendFacts)),
    '/routes/lookup': handler(served, (request, response) => {
      const asked = new Asked(request, defaults)
      sendFacts(response, lookup(asked.text('address'), asked).answer(served))
    }),
    '/routes/render': handler(
      served,
      inTurn(served, defaults, asked => rules(asked.text('form'), asked), sendRules),
    ),
    '/routes/changes': handler(served, (request, response) => changes(served, request, response)),
  }
}

type Answering = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

/** For what takes long in a large cluster. */
function inTurn<Facts>(
  served: ServedRoutes,
  defaults: Defaults,
  questionOf: (asked: Asked) => Question<Facts>,
  answer: (response: ServerResponse, facts: Facts) => void,
): Answering {
  return (request, response) => {
    const question = questionOf(new Asked(request, defaults))
    if (served.turns.full) return later(response, 'too many ask for everything at once')
    return served.turns.take(() => {
      // Who asked may have left meanwhile.
      if (!response.destroyed) answer(response, question.answer(served))
    })
  }
}

function sendFacts(response: ServerResponse, facts: unknown): void {
  send(response, 200, 'application/json', `${JSON.stringify(facts)}\n`)
}

function sendRules(response: ServerResponse, { text, lack }: Rules): void {
  if (lack !== undefined) response.setHeader('portolan-lack', headerText(lack))
  send(response, 200, 'text/plain; charset=utf-8', text)
}

/** The parameters of a request, with the Corefile's in the place of those that it leaves out. */
class Asked implements Said {
  readonly #given: URLSearchParams
  readonly #defaults: Defaults

  /** Throws PORTOLAN_USAGE for one that there is not. */
  constructor({ url = '' }: IncomingMessage, defaults: Defaults) {
    this.#given = new URLSearchParams(url.split('?', 2)[1])
    this.#defaults = defaults
    for (const name of this.#given.keys()) {
      if (!known.includes(name)) throw questionError(`there is no parameter "${name}"${hint(name, known)}`)
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

function handler(served: ServedRoutes, answer: Answering): HttpHandler {
  return async (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      return refuse(response, 405, 'PORTOLAN_ROUTES_METHOD', `${request.method} changes nothing here: use GET`)
    }
    if (!served.known) return later(response, 'the cluster is not yet known in full: ask again in a second')
    try {
      await answer(request, response)
    } catch (error) {
      if (!(error instanceof PortolanError)) throw error
      refuse(response, statusOf(error), error.code, error.message)
    }
  }
}

function statusOf({ code }: PortolanError): number {
  if (code === 'PORTOLAN_USAGE') return 400
  return code.startsWith('PORTOLAN_ROUTES_') ? 404 : 500
}

function changes(served: ServedRoutes, { method, headers }: IncomingMessage, response: ServerResponse): void {
  if (served.streams.full) {
    later(response, 'too many listen to changes already')
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const { 'last-event-id': lastId } = headers
  if (method === 'HEAD') response.end()
  else served.streams.serve(response, typeof lastId === 'string' ? lastId : undefined)
}

function later(response: ServerResponse, message: string): void {
  response.setHeader('retry-after', '1')
  refuse(response, 503, 'PORTOLAN_ROUTES_LATER', message)
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  send(response, status, 'application/json', `${JSON.stringify({ error: { code, message } })}\n`)
}

/** To HEAD Node sends the head alone. */
function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body)
}

/** What may stand in a header: it quotes what an API server said. */
function headerText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?')
}
