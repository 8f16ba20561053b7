/** The rules of one family in the chains of iptables that kube-proxy has. */

import type { Family } from '../../wire/address.ts'
import { diffIptables } from '../diff/iptables.ts'
import type { ServiceNames } from '../diff/service-names.ts'
import { IptablesRules } from '../render/iptables.ts'
import { restoreText, type Table, tables } from '../render/iptables-chains.ts'
import { filterChains, jumps, kubeletChain, natChains } from '../render/iptables-frame.ts'
import { ownChain } from '../render/iptables-names.ts'
import type { Run } from './command.ts'
import { linesOf, Verified } from './drift.ts'
import { jumpRemovals, jumpRepairs } from './jumps.ts'
import { type Kernel, succeed } from './kernel.ts'
import { readSaved, rulesOf, type Saved } from './saved.ts'

export const iptablesTool = { IPv4: 'iptables', IPv6: 'ip6tables' } as const

export class IptablesKernel implements Kernel {
  readonly name: string
  readonly rules: IptablesRules
  readonly #run: Run
  readonly #tool: string
  readonly #verified = new Verified()

  constructor(family: Family, run: Run) {
    this.name = `iptables ${family}`
    this.rules = new IptablesRules(family)
    this.#run = run
    this.#tool = iptablesTool[family]
  }

  async loadWhole(): Promise<void> {
    const saved = await this.#save()
    const stale = tables.flatMap(table => leftOver(saved, table).filter(key => !this.rules.has(key)))
    await this.#restore(this.rules.whole(jumpRepairs(saved), stale))
    this.#verified.forget()
    this.rules.settle()
  }

  async loadChange(): Promise<void> {
    await this.#restore(this.rules.change())
    this.#verified.forget()
    this.rules.settle()
  }

  async probe(): Promise<void> {
    await this.#restore('*nat\nCOMMIT\n')
  }

  async check(names: ServiceNames): Promise<string[]> {
    const text = uncounted(await succeed(this.#run, `${this.#tool}-save`, []))
    return this.#verified.check(text, () => [
      ...linesOf(diffIptables(this.rules.whole(jumps), text, names)),
      // Whatever the comparison thinks of it: the rules that lead to ours are to be there once, in their order.
      ...tables.flatMap(table => jumpRepairs(readSaved(text))[table].map(line => `${table}: ${line}`)),
    ])
  }

  async cleanUp(): Promise<boolean> {
    const saved = await this.#save()
    const kubelet = hasKubelet(saved) ? 'stays' : 'goes'
    const removals = {
      filter: jumpRemovals(saved, 'filter', kubelet),
      nat: jumpRemovals(saved, 'nat', kubelet),
    }
    const chains = tables.flatMap(table => [
      ...leftOver(saved, table),
      ...frameChains[table].map(chain => `${table} ${chain}`),
      ...(table === 'filter' && kubelet === 'goes' ? [`filter ${kubeletChain}`] : []),
    ])
    const there = chains.filter(key => hasChain(saved, key))
    await this.#restore(
      restoreText(
        there.map(key => [key, undefined]),
        removals,
      ),
    )
    return there.length > 0
  }

  async #save(): Promise<Saved> {
    return readSaved(await succeed(this.#run, `${this.#tool}-save`, []))
  }

  /** Waits for others who program iptables at the same time. */
  async #restore(text: string): Promise<void> {
    if (text !== '') await succeed(this.#run, `${this.#tool}-restore`, ['--noflush', '-w', '5'], text)
  }
}

const frameChains: Readonly<Record<Table, readonly string[]>> = { filter: filterChains, nat: natChains }

/** The chains of services that there are in a table: ours, or those of a kube-proxy before us. */
function leftOver(saved: Saved, table: Table): string[] {
  return Array.from(saved.get(table)?.keys() ?? [])
    .filter(chain => ownChain.test(chain))
    .map(chain => `${table} ${chain}`)
}

function hasChain(saved: Saved, key: string): boolean {
  const [table = '', chain = ''] = key.split(' ')
  return saved.get(table)?.has(chain) === true
}

/** The kubelet keeps a chain of its own to see whether a table was emptied: then what we share with it is its, too. */
function hasKubelet(saved: Saved): boolean {
  return [...saved.values()].some(chains => chains.has('KUBE-KUBELET-CANARY'))
}

/** Whether there are rules of iptables that take connections to services: kube-proxy's, or ours. */
export function hasServiceRules(saved: Saved): boolean {
  const jumping = (['PREROUTING', 'OUTPUT'] as const).flatMap(chain => rulesOf(saved, 'nat', chain))
  return jumping.some(rule => rule.endsWith('-j KUBE-SERVICES'))
}

/** Without what moves with every packet, and with the time. */
function uncounted(saved: string): string {
  return saved.replace(/^#.*\n/gm, '').replace(/\[\d+:\d+\]$/gm, '[0:0]')
}
