/** The rules that a node would have, for the tools that load them. */
import type { Family } from '../../wire/address.ts'
import { ipvsSchedulers } from '../choice/index.ts'
import { renderIptables } from '../render/iptables.ts'
import { ipvsParts, readerOf, renderIpvs } from '../render/ipvs.ts'
import { renderNftables } from '../render/nftables.ts'
import type { RenderOptions } from '../setting.ts'
import type { Routes } from '../table.ts'
import { lackOf, nodeOf } from './cluster.ts'
import { familiesOf, type Question, questionError, renderOptionsOf, type Said, wordOf } from './question.ts'

const forms = ['iptables', 'nftables', 'ipvs'] as const

export interface Rules {
  readonly text: string
  /** What of the node is not known, and why; undefined where nothing is missing. */
  readonly lack: string | undefined
}

/** Gives the text of one family. */
type Render = (table: Routes, options: RenderOptions) => string

export function rules(asked: string | undefined, said: Said): Question<Rules> {
  const form = forms.find(form => form === asked)
  if (form === undefined) throw questionError(`which rules? There are ${forms.join(', ')}`)
  const families = familiesOf(said)
  // What is wrong with it is said before a cluster is read.
  renderOptionsOf(said, undefined)
  const render = renderers[form](said, families)
  return {
    pods: false,
    answer(cluster) {
      const node = nodeOf(said.text('node'), cluster.state)
      if (node === undefined) throw questionError('for which node? There is no rule that is the same for all')
      const options = renderOptionsOf(said, node)
      const texts = families.map(family => render(cluster.table, { family, ...options }))
      return { text: texts.join(''), lack: lackOf(cluster, node) }
    },
  }
}

const renderers: Readonly<Record<(typeof forms)[number], (said: Said, families: readonly Family[]) => Render>> = {
  iptables(said, families) {
    oneFamily(families)
    return (table, options) => renderIptables(table, { ...options, jumps: !said.has('no-jumps') })
  },
  nftables: () => renderNftables,
  ipvs(said, families) {
    const part = said.has('part') ? wordOf(said, 'part', ipvsParts, 'ipvsadm') : undefined
    if (part === 'iptables') oneFamily(families)
    const scheduler = wordOf(said, 'scheduler', ipvsSchedulers, 'rr')
    return (table, options) => {
      const parts = renderIpvs(table, { ...options, scheduler, jumps: !said.has('no-jumps') })
      if (part !== undefined) return parts[part]
      const { family } = options
      return ipvsParts.map(name => `# ${name}, ${family}: ${readerOf(name, family)}\n${parts[name]}`).join('\n')
    }
  },
}

function oneFamily(families: readonly Family[]): void {
  if (families.length > 1) throw questionError('iptables: which family? 4 or 6, each is loaded by a program of its own')
}
