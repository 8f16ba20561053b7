/** The rules of one family in a table of nftables. */

import type { Family } from '../../wire/address.ts'
import { diffNftables } from '../diff/nftables.ts'
import type { ServiceNames } from '../diff/service-names.ts'
import { NftablesRules, TABLE } from '../render/nftables.ts'
import type { Run } from './command.ts'
import { linesOf, Verified } from './drift.ts'
import { type Kernel, refusal, succeed } from './kernel.ts'

/** nft's word for a family. */
export const nftFamily = { IPv4: 'ip', IPv6: 'ip6' } as const

export class NftablesKernel implements Kernel {
  readonly name: string
  readonly rules: NftablesRules
  readonly #run: Run
  readonly #verified = new Verified()
  readonly #table: readonly [string, string]

  constructor(family: Family, run: Run) {
    this.name = `nftables ${family}`
    this.rules = new NftablesRules(family)
    this.#run = run
    this.#table = [nftFamily[family], TABLE]
  }

  async loadWhole(): Promise<void> {
    await this.#load(this.rules.whole())
  }

  async loadChange(): Promise<void> {
    await this.#load(this.rules.change())
  }

  async #load(text: string): Promise<void> {
    if (text !== '') await succeed(this.#run, 'nft', ['-f', '-'], text)
    this.#verified.forget()
    this.rules.settle()
  }

  async probe(): Promise<void> {
    await succeed(this.#run, 'nft', ['-f', '-'], `table ${this.#table.join(' ')}\n`)
  }

  async check(names: ServiceNames): Promise<string[]> {
    const { status, stdout, stderr } = await this.#run('nft', ['-j', 'list', 'table', ...this.#table])
    // A table that is not there is a difference, and nft's failure.
    const listed = status !== 0 && stderr.includes('No such file') ? '{"nftables":[]}' : stdout
    if (status !== 0 && listed === stdout) throw refusal('nft', status, stderr)
    return this.#verified.check(listed, () => linesOf(diffNftables(this.rules.whole(), listed, names)))
  }

  async cleanUp(): Promise<boolean> {
    const tables = await succeed(this.#run, 'nft', ['list', 'tables'])
    if (!tables.split('\n').includes(`table ${this.#table.join(' ')}`)) return false
    await succeed(this.#run, 'nft', ['delete', 'table', ...this.#table])
    return true
  }
}
