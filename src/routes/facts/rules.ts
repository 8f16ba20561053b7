/** The rules that a node would have, for the tools that load them. */
import { renderIptables } from '../render/iptables.ts'
import { renderNftables } from '../render/nftables.ts'
import { lackOf, nodeOf } from './cluster.ts'
import { familiesOf, type Question, questionError, renderOptionsOf, type Said } from './question.ts'

const forms = ['iptables', 'nftables'] as const

export interface Rules {
  readonly text: string
  /** What of the node is not known, and why; undefined where nothing is missing. */
  readonly lack: string | undefined
}

export function rules(asked: string | undefined, said: Said): Question<Rules> {
  const form = forms.find(form => form === asked)
  if (form === undefined) throw questionError(`which rules? There are ${forms.join(', ')}`)
  const families = familiesOf(said)
  if (form === 'iptables' && families.length > 1)
    throw questionError('iptables: which family? 4 or 6, each is loaded by a program of its own')
  // What is wrong with it is said before a cluster is read.
  renderOptionsOf(said, undefined)
  const render = { iptables: renderIptables, nftables: renderNftables }[form]
  return {
    pods: false,
    answer(cluster) {
      const node = nodeOf(said.text('node'), cluster.state)
      if (node === undefined) throw questionError('for which node? There is no rule that is the same for all')
      const options = { ...renderOptionsOf(said, node), jumps: !said.has('no-jumps') }
      const texts = families.map(family => render(cluster.table, { family, ...options }))
      return { text: texts.join(''), lack: lackOf(cluster, node) }
    },
  }
}
