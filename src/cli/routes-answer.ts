/** Who answers what `portolan routes` asks: a running server, or this process from a cluster that it reads. The facts are the same. */
import type { HttpReply } from '../net/http-get.ts'
import { type Question, whatIsSaid } from '../routes/facts/question.ts'
import type { Arguments } from './arguments.ts'
import { readCluster } from './routes-cluster.ts'
import { askServer, factsIn, parametersOf } from './running-server.ts'
import type { Shell } from './shell.ts'

const plugin = 'routes'

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
  return read(await askServer(given, { plugin, path, parameters: { ...words, ...parametersOf(given, whatIsSaid) } }))
}

/** The facts that a server tells as JSON. */
export function fromJson<Facts>(reply: HttpReply): Facts {
  return factsIn(reply, plugin)
}
