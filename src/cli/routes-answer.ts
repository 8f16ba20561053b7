/** Who answers what `portolan routes` asks: a running server, or this process from a cluster that it reads. The facts are the same. */
import { messageOf, PortolanError } from '../errors.ts'
import { type HttpReply, httpGet } from '../net/http-get.ts'
import type { Question } from '../routes/facts/question.ts'
import { type Arguments, usageError } from './arguments.ts'
import { readCluster } from './routes-cluster.ts'
import type { Shell } from './shell.ts'

/** How long a server may take. */
const patienceMs = 60_000
/** A list of 10,000 services takes 3 MB, the rules of 100,000 endpoints some 60 MB. */
const most = 512 * 1024 * 1024

/** What a question says beside its words; parameters of a server have the names of the options. */
const parameters = [
  'node',
  'from',
  'cluster-cidr',
  'masquerade-all',
  'nodeport-addresses',
  'family',
  'no-jumps',
  'part',
  'scheduler',
]

/** Where a server has the answer, and what is asked for in words (`{ address: '10.96.0.10:53/UDP' }`). */
export interface Served<Facts> {
  readonly path: string
  readonly words: Readonly<Record<string, string | undefined>>
  /** Reads the facts out of the server's reply. */
  read(reply: HttpReply): Facts
}

export async function answer<Facts>(
  given: Arguments,
  shell: Shell,
  question: Question<Facts>,
  { path, words, read }: Served<Facts>,
): Promise<Facts> {
  if (!given.has('server')) return question.answer(await readCluster(given, shell, question.pods))
  const said = parameters.flatMap(name => (given.has(name) ? [[name, given.text(name) || 'true'] as const] : []))
  return read(await askServer(given, path, { ...words, ...Object.fromEntries(said) }))
}

/** Asks the server of `-server`. Rejects with what it says is wrong. */
export async function askServer(
  given: Arguments,
  path: string,
  parameters: Readonly<Record<string, string | undefined>>,
): Promise<HttpReply> {
  for (const other of ['manifests', 'kubeconfig']) {
    if (given.has(other)) throw usageError(`-server and -${other} are two clusters: give one`)
  }
  const url = urlOf(given.text('server')!, path)
  for (const [name, text] of Object.entries(parameters)) if (text !== undefined) url.searchParams.set(name, text)
  return ask(url)
}

/** The facts that a server tells as JSON. */
export function fromJson<Facts>({ type, body }: HttpReply): Facts {
  if (!isJson(type)) throw serverError('the server answers, but not as one with the plugin "routes" would')
  return JSON.parse(body) as Facts
}

function isJson(type: string): boolean {
  return type.startsWith('application/json')
}

function serverError(message: string, cause?: unknown): PortolanError {
  return new PortolanError('PORTOLAN_ROUTES_SERVER', message, { cause })
}

/** `http://127.0.0.1:9154`, or without its `http://`. */
function urlOf(text: string, path: string): URL {
  const full = /^https?:\/\//.test(text) ? text : `http://${text}`
  if (!URL.canParse(full)) throw usageError(`-server is a URL such as http://127.0.0.1:9154, got "${text}"`)
  const url = new URL(full)
  url.pathname = url.pathname.replace(/\/$/, '') + path
  return url
}

async function ask(url: URL): Promise<HttpReply> {
  const reply = await httpGet(url, patienceMs, most).catch(cause => {
    throw serverError(`no answer from ${url.origin}: ${messageOf(cause)}; does its Corefile have "routes"?`, cause)
  })
  if (reply.status !== 200) throw refusal(url, reply)
  return reply
}

/** What the server says is wrong, as if it had been found here. */
function refusal(url: URL, { status, type, body }: HttpReply): PortolanError {
  const said = isJson(type) ? (JSON.parse(body) as { error?: Record<string, unknown> }) : {}
  const { code, message } = said.error ?? {}
  if (typeof code === 'string' && typeof message === 'string') return new PortolanError(code, message)
  return serverError(`${url.origin} answers ${status}, not as a server with the plugin "routes" would`)
}
