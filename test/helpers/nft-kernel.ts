/** A kernel that knows `nft -f`, as far as our texts go: it takes a text whole or not at all, and refuses what the real one refuses. */

interface TableContents {
  /** By name: what it is, and its elements. */
  readonly storages: Map<string, { readonly type: string; readonly elements: Map<string, string> }>
  /** By name: what calls it, and its rules. */
  readonly chains: Map<string, { readonly hook: string; rules: string[] }>
}

export class NftKernel {
  /** By family and name: `ip portolan`. */
  tables = new Map<string, TableContents>()

  /** Throws what nft would say, and leaves everything as it was. */
  load(text: string): void {
    const draft = structuredClone(this.tables)
    const lines = text.split('\n').filter(Boolean)
    for (let at = 0; at < lines.length; ) at = step(draft, lines, at)
    for (const [name, table] of draft) check(name, table)
    this.tables = draft
  }

  contents(): unknown {
    const sorted = <T>(map: ReadonlyMap<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))
    return sorted(this.tables).map(([name, { storages, chains }]) => ({
      name,
      storages: sorted(storages).map(([name, { type, elements }]) => ({ name, type, elements: sorted(elements) })),
      chains: sorted(chains),
    }))
  }
}

/** Does what stands at this line; tells where the next begins. */
function step(tables: Map<string, TableContents>, lines: readonly string[], at: number): number {
  const line = lines[at]!
  const [, block] = /^table (ip6? \w+) \{$/.exec(line) ?? []
  if (block !== undefined) return readBlock(tableOf(tables, block), lines, at + 1)
  const [, bare] = /^table (ip6? \w+)$/.exec(line) ?? []
  const [, gone] = /^delete table (ip6? \w+)$/.exec(line) ?? []
  if (bare !== undefined) tableOf(tables, bare)
  else if (gone !== undefined) {
    if (!tables.delete(gone)) throw new Error(`${line}: no such table`)
  } else command(tables, line)
  return at + 1
}

function command(tables: Map<string, TableContents>, line: string): void {
  const [, verb, what, name, rest = ''] = /^(add|delete|flush) (\w+) (ip6? \w+) (.*)$/.exec(line) ?? []
  const table = name === undefined ? undefined : tables.get(name)
  if (table === undefined) throw new Error(`${line}: no such table`)
  const [, own = '', behind = ''] = /^(\S+) ?(.*)$/.exec(rest) ?? []
  const chain = table.chains.get(own)
  const storage = table.storages.get(own)
  const there = what === 'chain' || what === 'rule' ? chain : storage
  const makes = verb === 'add' && what !== 'rule' && what !== 'element'
  if (makes ? there !== undefined : there === undefined)
    throw new Error(`${line}: ${there ? 'is there' : 'is not there'}`)
  const inside = behind.replace(/^\{ | \}$/g, '')
  if (what === 'element') {
    for (const text of inside.split(', ')) {
      const [key, value = ''] = text.split(' : ') as [string, string?]
      const known = storage!.elements.has(key)
      if (known === (verb === 'add')) throw new Error(`${line}: ${key} ${known ? 'is there' : 'is not there'}`)
      if (verb === 'add') storage!.elements.set(key, value)
      else storage!.elements.delete(key)
    }
  } else if (what === 'rule') chain!.rules.push(behind)
  else if (verb === 'flush') chain!.rules.splice(0)
  else if (what === 'chain') {
    if (verb === 'add') table.chains.set(own, { hook: inside, rules: [] })
    else if (chain!.rules.length > 0) throw new Error(`${line}: it has rules`)
    else table.chains.delete(own)
  } else if (verb === 'add') table.storages.set(own, { type: inside.replace(/;+$/, ''), elements: new Map() })
  else if (storage!.elements.size > 0) throw new Error(`${line}: it has elements`)
  else table.storages.delete(own)
}

function readBlock(table: TableContents, lines: readonly string[], from: number): number {
  let at = from
  for (; lines[at] !== '}'; at++) {
    const [, kind, name = '', type = ''] = /^\t(map|set|chain) (\S+) \{ ?(.*)$/.exec(lines[at]!) ?? []
    if (kind === undefined) throw new Error(`${lines[at]}: what is that?`)
    const body: string[] = []
    for (at++; lines[at] !== '\t}'; at++) body.push(lines[at]!.trim())
    if (kind === 'chain') {
      const hook = body[0]?.startsWith('type ') ? body.shift()! : ''
      table.chains.set(name, { hook, rules: body })
    } else {
      const texts = body.join(' ').replace(/^elements = \{ | \}$/g, '')
      const elements = texts === '' ? [] : texts.split(', ').map(text => text.split(' : ') as [string, string?])
      const known = new Map(elements.map(([key, value = '']) => [key, value]))
      if (known.size !== elements.length) throw new Error(`${name} has an element twice`)
      table.storages.set(name, { type: type.replace(/;$/, ''), elements: known })
    }
  }
  return at + 1
}

/** Nothing may lead to what is not there. */
function check(name: string, { storages, chains }: TableContents): void {
  const rules = [...chains.values()].flatMap(({ rules }) => rules)
  const values = [...storages.values()].flatMap(({ elements }) => [...elements.values()])
  for (const text of [...rules, ...values]) {
    for (const [, chain] of text.matchAll(/(?:goto|jump) ([\w-]+)/g)) {
      if (!chains.has(chain!)) throw new Error(`${name}: ${text}: there is no chain ${chain}`)
    }
    for (const [, storage] of text.matchAll(/@([a-z][\w-]*)/g)) {
      if (!storages.has(storage!)) throw new Error(`${name}: ${text}: there is no map or set ${storage}`)
    }
  }
}

function tableOf(tables: Map<string, TableContents>, name: string): TableContents {
  const known = tables.get(name) ?? { storages: new Map(), chains: new Map() }
  tables.set(name, known)
  return known
}
