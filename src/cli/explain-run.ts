/** What `portolan explain` does: has a question answered, by a running server or in this process, and shows the answer. */
import { podKey, podNamed } from '../client/cluster-pod.ts'
import { environmentOf } from '../client/environment.ts'
import { exits } from '../client/explain/asker.ts'
import { environmentText } from '../client/explain/environment-text.ts'
import type { Explained } from '../client/explain/explained.ts'
import { explanation, whatIsSaid } from '../client/explain/question.ts'
import { explanationText } from '../client/explain/text.ts'
import type { Kind } from '../cluster/objects.ts'
import type { Said } from '../routes/facts/question.ts'
import { type Arguments, usageError } from './arguments.ts'
import { Exit } from './command.ts'
import { saidBy } from './pod-options.ts'
import { readState } from './routes-cluster.ts'
import { show } from './routes-output.ts'
import { askForFacts, parametersOf } from './running-server.ts'
import type { Shell } from './shell.ts'

const kinds: readonly Kind[] = ['Namespace', 'Service', 'EndpointSlice', 'Pod']
const optional: readonly Kind[] = ['Node', 'NetworkPolicy', 'Ingress', 'IngressClass', 'Secret']

export async function explainName(given: Arguments, shell: Shell): Promise<number> {
  const said = saidBy(given)
  // What is wrong with the question is told before anybody is asked.
  const question = explanation(given.words[0], said)
  if (given.has('server')) return tell(await askedOf(given, said), given, shell)
  const { state, lacking } = await readState(given, shell, { kinds, optional, detail: true })
  // It brings the whole server along, which those who ask a running one need not wait for.
  const { kubeadmCorefile, offlineServer, readCorefile } = await import('./offline-server.ts')
  const conf = given.text('conf')
  const corefile = conf === undefined ? kubeadmCorefile() : readCorefile(conf)
  await using server = await offlineServer(corefile, state, shell)
  const explained = await question.answer({ view: state, names: server.names, lacking, random: shell.random })
  return tell(explained, given, shell)
}

/** What a running server says, whose own plugins and cluster count. */
async function askedOf(given: Arguments, said: Said): Promise<Explained> {
  if (given.has('conf')) throw usageError('-conf is the Corefile of another server: a running one has its own')
  const parameters = { name: given.words[0], ...parametersOf(said, whatIsSaid) }
  return askForFacts(given, { plugin: 'explain', path: '/explain', parameters })
}

function tell(explained: Explained, given: Arguments, shell: Shell): number {
  show(given, shell, explained, () => explanationText(explained))
  return exits[explained.verdict]
}

/** `portolan explain -env`. */
export async function showEnvironment(given: Arguments, shell: Shell): Promise<number> {
  if (given.words.length > 0 || given.has('from')) throw usageError('-env takes no name and no -from')
  const { state } = await readState(given, shell, { kinds: ['Service', 'Pod'], detail: true })
  const pod = podNamed(state, podKey(given.text('env')))
  const environment = environmentOf(state, pod)
  show(given, shell, environment, () => environmentText(environment))
  return Exit.done
}
