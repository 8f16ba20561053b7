/** What is asked over HTTP: reads a request, and answers it with JSON or plain text, or says what is wrong with it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { PortolanError } from '../../errors.ts'
import type { HttpHandler } from '../../net/http-hub.ts'
import { type Defaults, Parameters, refuse, refuseForNow, refusesMethod, send, sendJson } from '../../net/http-json.ts'
import { list } from '../../routes/facts/list.ts'
import { lookup } from '../../routes/facts/lookup.ts'
import { type Question, whatIsSaid } from '../../routes/facts/question.ts'
import { type Rules, rules } from '../../routes/facts/rules.ts'
import type { ServedRoutes } from './served-routes.ts'

/** `address` and `form` are what the commands take as words. */
const known = ['address', 'form', ...whatIsSaid]

/** The handlers by path. */
export function handlers(served: ServedRoutes, defaults: Defaults): Record<string, HttpHandler> {
  return {
    '/routes': handler(served, inTurn(served, defaults, list, sendFacts)),
    '/routes/lookup': handler(served, (request, response) => {
      const asked = new Parameters(request, known, defaults)
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
  questionOf: (asked: Parameters) => Question<Facts>,
  answer: (response: ServerResponse, facts: Facts) => void,
): Answering {
  return (request, response) => {
    const question = questionOf(new Parameters(request, known, defaults))
    if (served.turns.full) return later(response, 'too many ask for everything at once')
    return served.turns.take(() => {
      // Who asked may have left meanwhile.
      if (!response.destroyed) answer(response, question.answer(served))
    })
  }
}

function sendFacts(response: ServerResponse, facts: unknown): void {
  sendJson(response, 200, facts)
}

function sendRules(response: ServerResponse, { text, lack }: Rules): void {
  if (lack !== undefined) response.setHeader('portolan-lack', headerText(lack))
  send(response, 200, 'text/plain; charset=utf-8', text)
}

function handler(served: ServedRoutes, answer: Answering): HttpHandler {
  return async (request, response) => {
    if (refusesMethod(request, response)) return
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
  refuseForNow(response, 'PORTOLAN_ROUTES_LATER', message)
}

/** What may stand in a header: it quotes what an API server said. */
function headerText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?')
}
