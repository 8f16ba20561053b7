/** `portolan routes render`: the rules that a node would have, for the tools that load them. */
import type { HttpReply } from '../net/http-get.ts'
import { type Rules, rules } from '../routes/facts/rules.ts'
import { type Arguments, usageError } from './arguments.ts'
import { Exit } from './command.ts'
import { answer } from './routes-answer.ts'
import type { Shell } from './shell.ts'

export async function renderRoutes(given: Arguments, shell: Shell): Promise<number> {
  const form = given.words[1]
  const question = rules(form, given)
  if (!given.has('node')) throw usageError('for which node? give -node NAME')
  const { text, lack } = await answer(given, shell, question, { path: '/routes/render', words: { form }, read })
  if (lack !== undefined) shell.err(`portolan: ${lack}\n`)
  shell.out(text)
  return Exit.done
}

function read({ body, header }: HttpReply): Rules {
  return { text: body, lack: header('portolan-lack') }
}
