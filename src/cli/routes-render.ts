/** `portolan routes render`: the rules that a node would have, for the tools that load them. */
import { renderIptables } from '../routes/render/iptables.ts'
import { renderNftables } from '../routes/render/nftables.ts'
import { type Arguments, usageError } from './arguments.ts'
import { Exit } from './command.ts'
import { familiesOf, readCluster, renderOptionsOf } from './routes-cluster.ts'
import type { Shell } from './shell.ts'

const forms = ['iptables', 'nftables'] as const

export async function renderRoutes(given: Arguments, shell: Shell): Promise<number> {
  const form = forms.find(form => form === given.words[1])
  if (form === undefined) throw usageError(`which rules? There are ${forms.join(', ')}`)
  if (!given.has('node')) throw usageError('for which node? give -node NAME')
  const families = familiesOf(given)
  if (form === 'iptables' && families.length > 1)
    throw usageError('iptables: give -family 4 or -family 6, each is loaded by a program of its own')
  const { table, node } = await readCluster(given, shell, false)
  const options = renderOptionsOf(given, node)
  for (const family of families) {
    shell.out(
      form === 'iptables'
        ? renderIptables(table, { family, ...options, jumps: !given.has('no-jumps') })
        : renderNftables(table, { family, ...options }),
    )
  }
  return Exit.done
}
