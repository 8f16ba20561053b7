/** `portolan routes diff`: what the kernel has, or had when it was saved, beside what it should have. */
import { readFile } from 'node:fs/promises'
import { messageOf, PortolanError } from '../errors.ts'
import { type Dumps, readDumps } from '../routes/diff/dumps.ts'
import type { Finding } from '../routes/diff/finding.ts'
import { readKernel } from '../routes/diff/kernel.ts'
import { type Comparison, compareNodeRules, type Mode } from '../routes/diff/node-rules.ts'
import { nodeOf } from '../routes/facts/cluster.ts'
import { familiesOf, renderOptionsOf } from '../routes/facts/question.ts'
import type { Family } from '../wire/address.ts'
import { type Arguments, usageError } from './arguments.ts'
import { readCluster } from './routes-cluster.ts'
import { columns, show } from './routes-output.ts'
import type { Shell } from './shell.ts'

/** As diff(1) has them. */
const DiffExit = { equal: 0, differs: 1, trouble: 2 } as const

const modes: readonly Mode[] = ['iptables', 'nftables']

export async function diffRoutes(given: Arguments, shell: Shell): Promise<number> {
  const word = given.words[1]
  const mode = modes.find(mode => mode === word)
  if (word !== undefined && mode === undefined) throw usageError(`which rules? There are ${modes.join(', ')}`)
  if (!given.has('node')) throw usageError('of which node? give -node NAME')
  try {
    const { table, state } = await readCluster(given, shell, false)
    const node = nodeOf(given.text('node'), state)
    const comparison = compareNodeRules({
      routes: table,
      options: renderOptionsOf(given, node),
      dumps: await dumpsOf(given, shell),
      mode,
      families: given.has('family') ? familiesOf(given) : undefined,
    })
    const facts = factsOf(comparison, node?.name)
    show(given, shell, facts, () => textOf(comparison, facts))
    return facts.equal ? DiffExit.equal : DiffExit.differs
  } catch (error) {
    // Whoever asks for the exit code alone must not take trouble for a difference.
    if (!(error instanceof PortolanError) || error.code === 'PORTOLAN_USAGE') throw error
    shell.err(`portolan: ${error.message}\n`)
    return DiffExit.trouble
  }
}

async function dumpsOf(given: Arguments, shell: Shell): Promise<Dumps> {
  const files = given.text('rules')
  if (files === undefined) return readKernel()
  const texts = await Promise.all(files.split(',').map(file => (file === '-' ? shell.input() : readRules(file))))
  return readDumps(texts)
}

async function readRules(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new PortolanError('PORTOLAN_ROUTES_DUMP', `cannot read the rules: ${messageOf(cause)}`, { cause })
  }
}

interface Row extends Finding {
  readonly family: Family
}

function factsOf({ mode, families }: Comparison, node: string | undefined) {
  const rows = families.flatMap(({ family, findings }) => findings.map((finding): Row => ({ family, ...finding })))
  const differences = rows.filter(({ level }) => level === 'fault')
  const compared = families.map(({ family, layout, rules }) => ({ family, layout, rules }))
  const notes = rows.filter(({ level }) => level === 'note')
  return { node, mode, compared, equal: differences.length === 0, differences, notes }
}

function textOf({ mode, families }: Comparison, { equal, differences, notes }: ReturnType<typeof factsOf>): string {
  const compared = families.map(({ family, layout, rules }) => `${rules} rules for ${family} as ${layout} has them`)
  const result = equal ? 'equal' : counted(differences.length, 'difference')
  const end = `${result}: ${mode}, ${compared.join(', ')}\n`
  const noted = notes.length === 0 ? '' : `\n${counted(notes.length, 'note')}\n${blocks(notes)}`
  return equal ? `${end}${noted}` : `${blocks(differences)}${noted}\n${end}`
}

/** What was found in a line each, and below it the rule: `-` as it is there, `+` as it should be. */
function blocks(rows: readonly Row[]): string {
  const [head, ...lines] = columns([
    ['KIND', 'SERVICE', 'WHERE', 'WHY'],
    ...rows.map(({ kind, service = '-', family, table, chain, why }) => [
      kind,
      service,
      [family, table, chain].filter(part => part !== '').join(' '),
      why,
    ]),
  ]).split('\n')
  return `${head}\n${rows.map((row, i) => `${lines[i]}\n${rulesOf(row)}`).join('')}`
}

function rulesOf({ kind, chain, rule, wanted }: Row): string {
  if (rule === `:${chain}`) return ''
  const there = `  ${kind === 'missing' ? '+' : '-'} ${rule}\n`
  return wanted === undefined ? there : `${there}  + ${wanted}\n`
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
