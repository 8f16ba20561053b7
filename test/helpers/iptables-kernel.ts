/** A kernel that knows iptables-restore: it takes texts as the real one does, each table of them whole or not at all. */

const builtin = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
} as const

export type Tables = Map<string, Map<string, string[]>>

export class IptablesKernel {
  tables: Tables = new Map(
    Object.entries(builtin).map(([table, chains]) => [table, new Map(chains.map(chain => [chain, []]))]),
  )

  /** Throws what iptables-restore would say, and leaves the table as it was. */
  restore(text: string): void {
    let table = ''
    let draft = new Map<string, string[]>()
    for (const line of text.split('\n').filter(Boolean)) {
      if (line.startsWith('*')) {
        table = line.slice(1)
        draft = new Map(Array.from(this.tables.get(table)!, ([chain, rules]) => [chain, [...rules]]))
      } else if (line === 'COMMIT') this.#commit(table, draft)
      else edit(draft, line)
    }
  }

  /** As iptables-save prints it. */
  save(): string {
    return Array.from(this.tables, ([table, chains]) =>
      [
        `*${table}`,
        ...Array.from(chains.keys(), chain => `:${chain} ${isBuiltin(chain) ? 'ACCEPT' : '-'} [0:0]`),
        ...Array.from(chains, ([chain, rules]) => rules.map(rule => `-A ${chain} ${rule}`)).flat(),
        'COMMIT\n',
      ].join('\n'),
    ).join('')
  }

  /** Chains with their rules, by table and name. */
  contents(): Record<string, readonly string[]> {
    const all = Array.from(this.tables, ([table, chains]) =>
      Array.from(chains, ([chain, rules]) => [`${table} ${chain}`, rules] as const),
    )
    return Object.fromEntries(all.flat().sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  #commit(table: string, draft: Map<string, string[]>): void {
    for (const [chain, rules] of draft) {
      for (const rule of rules) {
        const target = /(?:-j|-g) (KUBE-\S+)$/.exec(rule)?.[1]
        if (target !== undefined && !draft.has(target))
          throw new Error(`${chain} leads to ${target}, which is not there`)
      }
    }
    this.tables.set(table, draft)
  }
}

function edit(chains: Map<string, string[]>, line: string): void {
  const [word = '', chain = '', ...rest] = line.replace(/^:/, ': ').split(' ')
  const rule = rest.join(' ')
  if (word === ':') {
    chains.set(chain, [])
    return
  }
  const rules = chains.get(chain)
  if (rules === undefined) throw new Error(`${line}: there is no such chain`)
  if (word === '-A') rules.push(rule)
  else if (word === '-I') rules.unshift(rule)
  else if (word === '-D') {
    const at = rules.indexOf(rule)
    if (at < 0) throw new Error(`${line}: there is no such rule`)
    rules.splice(at, 1)
  } else if (word === '-X') {
    if (rules.length > 0) throw new Error(`${line}: not empty`)
    const used = [...chains.values()].flat().some(other => other.endsWith(`-j ${chain}`))
    if (used) throw new Error(`${line}: in use`)
    chains.delete(chain)
  } else throw new Error(`${line}: what is that?`)
}

function isBuiltin(chain: string): boolean {
  return !chain.includes('-')
}
