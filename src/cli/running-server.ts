/** Asks a running server over HTTP (`-server URL`): for facts that its plugins tell, in the place of a cluster that is read here. */
import { messageOf, PortolanError } from '../errors.ts'
import { type HttpReply, httpGet } from '../net/http-get.ts'
import type { Said } from '../routes/facts/question.ts'
import { type Arguments, usageError } from './arguments.ts'

/** How long a server may take. */
const patienceMs = 60_000
/** A list of 10,000 services takes 3 MB, the rules of 100,000 endpoints some 60 MB. */
const most = 512 * 1024 * 1024

/** Where plugins tell what they know, unless a Corefile says otherwise. */
export const usualServer = 'http://127.0.0.1:9154'

/** What is asked for. */
export interface Request {
  /** The plugin that has the answer, for messages. */
  readonly plugin: string
  readonly path: string
  /** Those that are undefined are left out. */
  readonly parameters?: Readonly<Record<string, string | undefined>>
}

/** Asks the server of `-server`, or the usual one. Rejects with what it says is wrong, as if it had been found here. */
export async function askServer(given: Arguments, { plugin, path, parameters = {} }: Request): Promise<HttpReply> {
  for (const other of ['manifests', 'kubeconfig']) {
    if (given.has(other)) throw usageError(`-server and -${other} are two clusters: give one`)
  }
  const url = urlOf(given.text('server') ?? usualServer, path)
  for (const [name, text] of Object.entries(parameters)) if (text !== undefined) url.searchParams.set(name, text)
  const reply = await httpGet(url, patienceMs, most).catch(cause => {
    throw serverError(`no answer from ${url.origin}: ${messageOf(cause)}; does its Corefile have "${plugin}"?`, cause)
  })
  if (reply.status !== 200) throw refusal(url, reply, plugin)
  return reply
}

/** Of what may be said, what is: a flag is `true`. */
export function parametersOf(said: Said, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap(name => (said.has(name) ? [[name, said.text(name) || 'true']] : [])))
}

/** The same for facts that a server tells as JSON. */
export async function askForFacts<Facts>(given: Arguments, request: Request): Promise<Facts> {
  const reply = await askServer(given, request)
  return factsIn(reply, request.plugin)
}

export function factsIn<Facts>({ type, body }: HttpReply, plugin: string): Facts {
  if (!isJson(type)) throw serverError(`the server answers, but not as one with the plugin "${plugin}" would`)
  return JSON.parse(body) as Facts
}

function isJson(type: string): boolean {
  return type.startsWith('application/json')
}

function serverError(message: string, cause?: unknown): PortolanError {
  return new PortolanError('PORTOLAN_SERVER', message, { cause })
}

/** `http://127.0.0.1:9154`, or without its `http://`. */
function urlOf(text: string, path: string): URL {
  const full = /^https?:\/\//.test(text) ? text : `http://${text}`
  if (!URL.canParse(full)) throw usageError(`-server is a URL such as ${usualServer}, got "${text}"`)
  const url = new URL(full)
  url.pathname = url.pathname.replace(/\/$/, '') + path
  return url
}

function refusal(url: URL, { status, type, body }: HttpReply, plugin: string): PortolanError {
  const said = isJson(type) ? (JSON.parse(body) as { error?: Record<string, unknown> }) : {}
  const { code, message } = said.error ?? {}
  if (typeof code === 'string' && typeof message === 'string') return new PortolanError(code, message)
  return serverError(`${url.origin} answers ${status}, not as a server with the plugin "${plugin}" would`)
}
