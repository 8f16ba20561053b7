/** What is needed to program the rules of one family in one form, whichever it is. */
import { PortolanError } from '../../errors.ts'
import type { ServiceNames } from '../diff/service-names.ts'
import type { Rules } from '../render/rules.ts'
import type { Run } from './command.ts'

export interface Kernel {
  /** For messages: `nftables IPv4`. */
  readonly name: string
  readonly rules: Rules
  /** Has the kernel have all rules, whatever it has now, and settles them. Rejects with PORTOLAN_APPLY_REFUSED. */
  loadWhole(): Promise<void>
  /** Loads what differs since rules were settled, and settles them. Rejects with PORTOLAN_APPLY_REFUSED. */
  loadChange(): Promise<void>
  /** Has the tool load what changes nothing. Rejects with PORTOLAN_APPLY_REFUSED where not even that works. */
  probe(): Promise<void>
  /**
   * Compares what the kernel has with the rules as settled: what differs, a line each, for which `names` tells services. `loadWhole` repairs
   * it. Rejects with PORTOLAN_APPLY_REFUSED.
   */
  check(names: ServiceNames): Promise<string[]>
  /** Removes all that is ours; resolves to whether there was anything. Rejects with PORTOLAN_APPLY_REFUSED. */
  cleanUp(): Promise<boolean>
}

/** Runs a tool, and gives what it wrote. Rejects with PORTOLAN_APPLY_REFUSED and what it said. */
export async function succeed(run: Run, command: string, args: readonly string[], input?: string): Promise<string> {
  const { status, stdout, stderr } = await run(command, args, input)
  if (status === 0) return stdout
  throw refusal(command, status, stderr)
}

export function refusal(command: string, status: number, stderr: string): PortolanError {
  const said = stderr.trim().split('\n').slice(0, 3).join(' · ').slice(0, 400)
  return new PortolanError('PORTOLAN_APPLY_REFUSED', `${command}: ${said === '' ? `ended with ${status}` : said}`)
}
