/** What other proxies, or we in the other form, have left in the kernel: both would rewrite the same packets. */
import { PortolanError } from '../../errors.ts'
import type { Family } from '../../wire/address.ts'
import { TABLE } from '../render/nftables.ts'
import type { Run } from './command.ts'
import { hasServiceRules, iptablesTool } from './iptables.ts'
import { succeed } from './kernel.ts'
import { nftFamily } from './nftables.ts'
import { readSaved } from './saved.ts'

export type Form = 'iptables' | 'nftables'

/**
 * Throws PORTOLAN_APPLY_TOOL where the tools are missing or may not be used, and PORTOLAN_APPLY_LEFTOVERS where rules of another form
 * are there, with what removes them.
 */
export async function mayApply(form: Form, families: readonly Family[], run: Run): Promise<void> {
  for (const family of families) {
    const problem = await toolProblem(form, family, run)
    if (problem !== undefined) throw new PortolanError('PORTOLAN_APPLY_TOOL', problem.why)
    const found = [
      ...(await nftTables(form, nftFamily[family], run)),
      ...(form === 'nftables' ? await chainsOf(family, run) : []),
    ]
    if (found.length > 0) throw new PortolanError('PORTOLAN_APPLY_LEFTOVERS', found.join('; '))
  }
  const { status } = await run('ip', ['link', 'show', 'kube-ipvs0'])
  if (status === 0)
    throw new PortolanError(
      'PORTOLAN_APPLY_LEFTOVERS',
      "the interface kube-ipvs0 of kube-proxy's ipvs mode is there: `kube-proxy --cleanup` removes what that mode has left",
    )
}

/** Why the tool of a form cannot be used; undefined where it can. */
export async function toolProblem(
  form: Form,
  family: Family,
  run: Run,
): Promise<{ missing: boolean; why: string } | undefined> {
  const save = `${iptablesTool[family]}-save`
  const [tool, args] = form === 'nftables' ? ['nft', ['list', 'tables']] : [save, ['-t', 'nat']]
  const { status, stderr } = await run(tool, args)
  if (status === 0) return undefined
  if (status === 127) return { missing: true, why: `${tool} is not installed` }
  return { missing: false, why: `${tool} cannot be used (are you root?): ${stderr.trim().split('\n')[0]}` }
}

async function nftTables(form: Form, ip: string, run: Run): Promise<string[]> {
  const { status, stdout } = await run('nft', ['list', 'tables', ip])
  // Where there is no nft there are no tables of it.
  const tables = status === 0 ? stdout.split('\n') : []
  const found: string[] = []
  if (tables.includes(`table ${ip} kube-proxy`))
    found.push(
      `the table "${ip} kube-proxy" of kube-proxy's nftables mode is there: end kube-proxy, then \`nft delete table ${ip} kube-proxy\``,
    )
  if (form === 'iptables' && tables.includes(`table ${ip} ${TABLE}`))
    found.push(`our table "${ip} ${TABLE}" is there: \`portolan routes cleanup nftables\` removes it`)
  return found
}

async function chainsOf(family: Family, run: Run): Promise<string[]> {
  const tool = iptablesTool[family]
  // Who has no iptables has no chains of it.
  if ((await toolProblem('iptables', family, run))?.missing === true) return []
  const saved = readSaved(await succeed(run, `${tool}-save`, ['-t', 'nat']))
  if (!hasServiceRules(saved)) return []
  return [
    `${tool} has the chains of kube-proxy's iptables mode, its own or ours: end kube-proxy, then \`portolan routes cleanup iptables\``,
  ]
}
