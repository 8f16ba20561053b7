/** What the kernel of this namespace has, and what it should have: both as the tools list them, so that they may be compared as texts. */
import { renderIptables } from '../../../../src/routes/render/iptables.ts'
import { renderNftables, TABLE } from '../../../../src/routes/render/nftables.ts'
import type { RenderOptions } from '../../../../src/routes/setting.ts'
import type { RouteTable } from '../../../../src/routes/table.ts'
import { run } from '../namespace.ts'

export type Form = 'iptables' | 'nftables'

const tools = { IPv4: 'iptables', IPv6: 'ip6tables' } as const
const words = { IPv4: 'ip', IPv6: 'ip6' } as const

/** The rules of the kernel, those of others left out. */
export function actual(form: Form, family: RenderOptions['family']): string {
  if (form === 'iptables') return ours(run(`${tools[family]}-save`, []))
  // What is not there has no rules.
  const tables = run('nft', ['list', 'tables'])
  if (!tables.includes(`table ${words[family]} ${TABLE}\n`)) return ''
  return normal(run('nft', ['-j', 'list', 'table', words[family], TABLE]))
}

/** What a kernel makes of the rules that these routes should have. */
export function expected(form: Form, table: RouteTable, options: RenderOptions): string {
  const { family } = options
  const fresh = (command: string, input: string) => run('unshare', ['--net', 'sh', '-c', command], input)
  if (form === 'iptables') {
    const tool = tools[family]
    return ours(fresh(`${tool}-restore --noflush && ${tool}-save`, renderIptables(table, options)))
  }
  return normal(fresh(`nft -f - && nft -j list table ${words[family]} ${TABLE}`, renderNftables(table, options)))
}

/** Lines of iptables-save that have to do with services, without counters. */
function ours(saved: string): string {
  const lines = saved.replace(/\[\d+:\d+\]/g, '').split('\n')
  return lines.filter(line => line.startsWith('*') || line.includes('KUBE-')).join('\n')
}

interface Entry {
  readonly name?: string
  readonly chain?: string
  readonly handle?: number
  readonly index?: number
  readonly elem?: readonly unknown[]
  readonly timeout?: number
}

/** Chains with their rules in order, maps and sets with their elements in one order; no handles, and no clients. */
function normal(listed: string): string {
  const chains = new Map<string, string[]>()
  const others: string[] = []
  for (const entry of JSON.parse(listed).nftables as Record<string, Entry>[]) {
    for (const [kind, { handle: _handle, index: _index, elem = [], ...rest }] of Object.entries(entry)) {
      if (kind === 'metainfo') continue
      const elements = rest.timeout === undefined ? elem.map(element => JSON.stringify(element)).sort() : []
      const text = JSON.stringify([kind, rest, elements])
      if (kind === 'rule') chains.get(rest.chain!)!.push(text)
      else if (kind === 'chain') chains.set(rest.name!, [text])
      else others.push(text)
    }
  }
  return [...[...chains.values()].map(lines => lines.join('\n')), ...others].sort().join('\n')
}
