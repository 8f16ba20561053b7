/** Reads the rules that the kernel has in this network namespace. Changes nothing. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { PortolanError } from '../../errors.ts'
import type { Family } from '../../wire/address.ts'
import { type Dumps, type IptablesDump, readDumps } from './dumps.ts'

const patienceMs = 60_000
const run = promisify(execFile)

/** Where the kernel names the tables of iptables' old back end that somebody uses. */
const legacyTables = { IPv4: '/proc/self/net/ip_tables_names', IPv6: '/proc/self/net/ip6_tables_names' } as const
const programs = { IPv4: 'iptables', IPv6: 'ip6tables' } as const

/** What of iptables and nft is installed. Throws PORTOLAN_ROUTES_KERNEL where a program fails, or none is there. */
export async function readKernel(): Promise<Dumps> {
  const iptables = [...(await savedRules('IPv4')), ...(await savedRules('IPv6'))]
  const listed = await output('nft', ['-j', 'list', 'ruleset'])
  if (iptables.length === 0 && listed === undefined)
    throw new PortolanError('PORTOLAN_ROUTES_KERNEL', 'neither iptables-save nor nft is installed: give -rules FILE')
  const ipvsInterface = /^\s*kube-ipvs0:/m.test(readFileSync('/proc/self/net/dev', 'utf8'))
  return { ...readDumps(listed === undefined ? [] : [listed]), iptables, isWhole: true, ipvsInterface }
}

async function savedRules(family: Family): Promise<readonly IptablesDump[]> {
  const saved = await output(`${programs[family]}-save`, [])
  if (saved === undefined) return []
  const own = dumpsOf(saved, family)
  // To ask for tables that nobody uses would have the kernel make them.
  const isUsed = existsSync(legacyTables[family]) && readFileSync(legacyTables[family], 'utf8').trim() !== ''
  if (!isUsed || own.some(({ backend }) => backend === 'legacy')) return own
  const legacy = await output(`${programs[family]}-legacy-save`, [])
  return legacy === undefined ? own : [...own, ...dumpsOf(legacy, family)]
}

/** Nothing at all is what these programs write where there are no rules. */
function dumpsOf(text: string, family: Family): readonly IptablesDump[] {
  const { iptables } = readDumps([text])
  return iptables.length > 0 ? iptables : [{ family, backend: undefined, text: '' }]
}

/** Undefined where there is no such program. */
async function output(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await run(program, args, { timeout: patienceMs, maxBuffer: 1 << 30 })
    return stdout
  } catch (cause) {
    const { code, stderr = '', message } = cause as Error & { code?: unknown; stderr?: string }
    if (code === 'ENOENT') return undefined
    const said = stderr.trim() || message
    throw new PortolanError('PORTOLAN_ROUTES_KERNEL', `${[program, ...args].join(' ')}: ${said}`, { cause })
  }
}
