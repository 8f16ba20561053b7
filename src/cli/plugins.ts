/** `portolan plugins`: which plugins there are, and what each takes. */
import { readFileSync } from 'node:fs'
import { hint } from '../corefile/nearest.ts'
import { PortolanError } from '../errors.ts'
import { type Command, Exit, table } from './command.ts'
import type { Shell } from './shell.ts'

export const plugins: Command = {
  name: 'plugins',
  summary: 'lists the plugins in the order a query meets them, or shows what one takes',
  synopsis: '[NAME]',
  words: 1,
  options: {},
  async run({ words: [name] }, shell) {
    if (name === undefined) return listPlugins(shell)
    const names = shell.plugins.map(plugin => plugin.name)
    if (!names.includes(name)) {
      throw new PortolanError('PORTOLAN_USAGE', `there is no plugin "${name}"${hint(name, names)}`)
    }
    shell.out(documentOf(name, shell.documents) ?? `${name} has no README here\n`)
    return Exit.done
  },
}

export function listPlugins({ plugins, documents, out }: Shell): number {
  const rows = plugins.map(({ name }) => [name, purposeOf(name, documents)] as const)
  out(`${table(rows)}\n`)
  return Exit.done
}

/** What the README says behind the plugin's name: `*cache* - keeps answers for a while.` */
function purposeOf(name: string, documents: URL): string {
  const document = documentOf(name, documents)
  const [, purpose = ''] = /^\*.+?\* - (.+?)\.?\n\n/ms.exec(document ?? '') ?? []
  return purpose.replaceAll('\n', ' ')
}

function documentOf(name: string, documents: URL): string | undefined {
  try {
    return readFileSync(new URL(`${name}/README.md`, documents), 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
