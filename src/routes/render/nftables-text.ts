/** How a table of nftables is written for `nft -f`: whole, or what changes in it. */
import type { Difference } from './merged.ts'
import { Elements, writeChain } from './nftables-elements.ts'
import { type Chain, type Element, expanded, type Item, type Storage } from './nftables-items.ts'

/** The one table of each family that is ours. */
export const TABLE = 'portolan'

/** One transaction that puts this table into the place of the one that may be there. `ip` is nft's word for the family. */
export function wholeText(ip: string, items: Iterable<Item>): string {
  const storages = new Map<string, Elements>()
  const chains: Chain[] = []
  const elements: Element[] = []
  for (const item of items) {
    if (item.kind === 'chain') chains.push(item)
    else if (item.kind === 'element') elements.push(item)
    else storages.set(item.name, new Elements(`${item.kind} ${item.name} { ${item.type}`))
  }
  for (const element of elements) for (const [of, key, value] of expanded(element)) storages.get(of)!.add(key, value)
  const lines = [`table ${ip} ${TABLE}`, `delete table ${ip} ${TABLE}`, `table ${ip} ${TABLE} {`]
  for (const storage of storages.values()) storage.write(lines)
  for (const { name, hook, rules } of chains) writeChain(lines, name, hook === undefined ? rules : [hook, ...rules])
  return [...lines, '}', ''].join('\n')
}

/** What is to be done for each kind of piece, in the order in which nft must be told: nothing may lead to what is not there. */
class Steps {
  readonly taken = new Map<string, string[]>()
  readonly made: string[] = []
  readonly emptied: string[] = []
  readonly written: string[] = []
  readonly put = new Map<string, string[]>()
  readonly dropped: string[] = []
  readonly #table: string

  constructor(ip: string) {
    this.#table = `${ip} ${TABLE}`
  }

  storage(before: Storage | undefined, after: Storage | undefined): void {
    if (after === undefined) this.dropped.push(`delete ${before!.kind} ${this.#table} ${before!.name}`)
    else if (before === undefined) this.made.push(`add ${after.kind} ${this.#table} ${after.name} { ${after.type}; }`)
  }

  chain(before: Chain | undefined, after: Chain | undefined): void {
    const { name, hook } = (after ?? before)!
    if (before === undefined)
      this.made.push(`add chain ${this.#table} ${name}${hook === undefined ? '' : ` { ${hook} }`}`)
    else this.emptied.push(`flush chain ${this.#table} ${name}`)
    if (after === undefined) this.dropped.push(`delete chain ${this.#table} ${name}`)
    else for (const rule of after.rules) this.written.push(`add rule ${this.#table} ${name} ${rule}`)
  }

  element(before: Element | undefined, after: Element | undefined): void {
    const had = new Map(
      before && Array.from(expanded(before), ([of, key, value]) => [`${of} ${key}`, { of, key, value }]),
    )
    for (const [of, key, value] of after === undefined ? [] : expanded(after)) {
      const id = `${of} ${key}`
      const known = had.get(id)
      if (known?.value === value) had.delete(id)
      else push(this.put, of, written(key, value))
    }
    for (const { of, key } of had.values()) push(this.taken, of, key)
  }

  text(): string {
    const elements = (verb: string, all: ReadonlyMap<string, readonly string[]>) =>
      Array.from(all, ([of, keys]) => `${verb} element ${this.#table} ${of} { ${keys.join(', ')} }`)
    const lines = [
      ...elements('delete', this.taken),
      ...[this.made, this.emptied, this.written].flat(),
      ...elements('add', this.put),
      ...this.dropped,
    ]
    return lines.length === 0 ? '' : `${lines.join('\n')}\n`
  }
}

/** One transaction that turns the table as it was into what it is to be; empty where nothing differs. */
export function changeText(ip: string, differences: Iterable<Difference<Item>>): string {
  const steps = new Steps(ip)
  for (const { before, after } of differences) {
    const { kind } = (after ?? before)!
    if (kind === 'chain') steps.chain(before as Chain | undefined, after as Chain | undefined)
    else if (kind === 'element') steps.element(before as Element | undefined, after as Element | undefined)
    else steps.storage(before as Storage | undefined, after as Storage | undefined)
  }
  return steps.text()
}

function written(key: string, value: string): string {
  return value === '' ? key : `${key} : ${value}`
}

function push(lists: Map<string, string[]>, at: string, text: string): void {
  const known = lists.get(at)
  if (known === undefined) lists.set(at, [text])
  else known.push(text)
}
