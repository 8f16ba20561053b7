/** A machine whose kernel is a simulation: takes the place of running iptables and nft, and fails when a test says so. */
import type { Finished, Run } from '../../src/routes/apply/command.ts'
import { IptablesKernel } from './iptables-kernel.ts'
import { NftKernel } from './nft-kernel.ts'

export interface Call {
  readonly command: string
  readonly args: readonly string[]
  readonly input: string
}

export class Machine {
  readonly nft = new NftKernel()
  readonly iptables = { iptables: new IptablesKernel(), ip6tables: new IptablesKernel() }
  readonly calls: Call[] = []
  /** What a tool says instead of doing what it is told; undefined where it does it. */
  failing: (call: Call) => string | undefined = () => undefined
  /** Answers of other programs, by name; those that are not here are not installed. */
  others: Record<string, (args: readonly string[]) => Finished> = {}

  readonly run: Run = async (command, args, input = '') => {
    const call = { command, args, input }
    this.calls.push(call)
    const failure = this.failing(call)
    if (failure !== undefined) return { status: 1, stdout: '', stderr: failure }
    try {
      return this.#done(call) ?? { status: 127, stdout: '', stderr: `spawn ${command} ENOENT` }
    } catch (error) {
      return { status: 1, stdout: '', stderr: `${error}` }
    }
  }

  #done({ command, args, input }: Call): Finished | undefined {
    const [, tool, verb] = /^(ip6?tables)-(save|restore)$/.exec(command) ?? []
    if (tool !== undefined) {
      const kernel = this.iptables[tool as keyof Machine['iptables']]
      if (verb === 'restore') kernel.restore(input)
      return ok(verb === 'save' ? kernel.save() : '')
    }
    if (command === 'nft') return ok(this.#nft(args, input))
    return this.others[command]?.(args)
  }

  #nft(args: readonly string[], input: string): string {
    const [verb, what, ...rest] = args
    if (verb === '-f') this.nft.load(input)
    else if (verb === 'delete' && what === 'table') this.nft.load(`delete table ${rest.join(' ')}\n`)
    else if (verb === 'list' && what === 'tables')
      return Array.from(this.nft.tables.keys(), name => `table ${name}\n`)
        .filter(line => rest.length === 0 || line.startsWith(`table ${rest[0]} `))
        .join('')
    else throw new Error(`nft ${args.join(' ')}: what is that?`)
    return ''
  }
}

export function ok(stdout: string): Finished {
  return { status: 0, stdout, stderr: '' }
}
