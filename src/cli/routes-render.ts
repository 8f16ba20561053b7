/** `portolan routes render`: the rules that a node would have, for the tools that load them. */
import { ipvsSchedulers } from '../routes/choice/index.ts'
import { renderIptables } from '../routes/render/iptables.ts'
import { ipvsParts, readerOf, renderIpvs } from '../routes/render/ipvs.ts'
import { renderNftables } from '../routes/render/nftables.ts'
import type { RenderOptions } from '../routes/setting.ts'
import type { Routes } from '../routes/table.ts'
import type { Family } from '../wire/address.ts'
import { type Arguments, usageError } from './arguments.ts'
import { Exit } from './command.ts'
import { familiesOf, readCluster, renderOptionsOf } from './routes-cluster.ts'
import type { Shell } from './shell.ts'

const forms = ['iptables', 'nftables', 'ipvs'] as const

/** Gives the text of one family. */
type Render = (table: Routes, options: RenderOptions) => string

export async function renderRoutes(given: Arguments, shell: Shell): Promise<number> {
  const form = forms.find(form => form === given.words[1])
  if (form === undefined) throw usageError(`which rules? There are ${forms.join(', ')}`)
  if (!given.has('node')) throw usageError('for which node? give -node NAME')
  const families = familiesOf(given)
  const render = renderers[form](given, families)
  const { table, node } = await readCluster(given, shell, false)
  const options = renderOptionsOf(given, node)
  for (const family of families) shell.out(render(table, { family, ...options }))
  return Exit.done
}

const renderers: Readonly<Record<(typeof forms)[number], (given: Arguments, families: readonly Family[]) => Render>> = {
  iptables(given, families) {
    oneFamily(families)
    return (table, options) => renderIptables(table, { ...options, jumps: !given.has('no-jumps') })
  },
  nftables: () => renderNftables,
  ipvs(given, families) {
    const part = given.has('part') ? given.oneOf('part', ipvsParts, 'ipvsadm') : undefined
    if (part === 'iptables') oneFamily(families)
    const scheduler = given.oneOf('scheduler', ipvsSchedulers, 'rr')
    return (table, options) => {
      const parts = renderIpvs(table, { ...options, scheduler, jumps: !given.has('no-jumps') })
      if (part !== undefined) return parts[part]
      const { family } = options
      return ipvsParts.map(name => `# ${name}, ${family}: ${readerOf(name, family)}\n${parts[name]}`).join('\n')
    }
  },
}

function oneFamily(families: readonly Family[]): void {
  if (families.length > 1)
    throw usageError('iptables: give -family 4 or -family 6, each is loaded by a program of its own')
}
