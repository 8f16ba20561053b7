/** `portolan top`: which names the clients of a running server search in vain, who they are, and what helps. */
import { messageOf, PortolanError } from '../errors.ts'
import type { Report } from '../plugins/top/report.ts'
import { type Arguments, usageError } from './arguments.ts'
import { type Command, Exit } from './command.ts'
import { columns } from './routes-output.ts'
import type { Shell } from './shell.ts'

const DEFAULT_SERVER = 'http://localhost:9154'
const DEFAULT_ROWS = 20
const TIMEOUT_MS = 5000

export const top: Command = {
  name: 'top',
  summary: 'shows which names are searched in vain, by whom, and what helps',
  synopsis: '[options]',
  words: 0,
  options: {
    server: { value: 'URL', help: `where the plugin \`top\` of a server tells it (default ${DEFAULT_SERVER})` },
    names: { value: 'N', alias: ['n'], help: `how many lines there are at most (default ${DEFAULT_ROWS})` },
    output: { value: 'FORM', alias: ['o'], help: 'table or json (default table)' },
  },
  notes:
    'The server needs `top` in its Corefile. Figures are estimated from one query in 64, over ten to twenty minutes.',
  run: showTop,
}

async function showTop(given: Arguments, { out }: Shell): Promise<number> {
  const form = given.oneOf('output', ['table', 'json'], 'table')
  const most = rowsOf(given.text('names'))
  const report = await reportFrom(given.text('server') ?? DEFAULT_SERVER)
  const rows = report.rows.slice(0, most)
  out(form === 'json' ? `${JSON.stringify({ ...report, rows }, null, 2)}\n` : textOf({ ...report, rows }))
  return Exit.done
}

function rowsOf(text = String(DEFAULT_ROWS)): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw usageError(`-names is a whole number above 0, got "${text}"`)
}

async function reportFrom(server: string): Promise<Report> {
  if (!URL.canParse('/top', server)) throw usageError(`-server is a URL such as ${DEFAULT_SERVER}, got "${server}"`)
  try {
    const response = await fetch(new URL('/top', server), { signal: AbortSignal.timeout(TIMEOUT_MS) })
    if (response.ok) return (await response.json()) as Report
    throw new Error(`status ${response.status}`)
  } catch (error) {
    const why = messageOf((error as Error).cause ?? error)
    throw new PortolanError('PORTOLAN_TOP', `${server} does not tell (${why}): is \`top\` in its Corefile?`, {
      cause: error,
    })
  }
}

function textOf({ seconds, searches, misses, rows, sampledOneIn }: Report): string {
  const figure = (value: number) => value.toLocaleString('en-US')
  const summary = `${figure(misses)} queries in ${Math.round(seconds)} s were for nothing: ${figure(searches)} searches went through the cluster (from one query in ${sampledOneIn})\n`
  if (rows.length === 0) return summary
  const head = ['misses', 'share', 'name', 'by', 'what helps']
  const lines = rows.map(({ name, client, misses: own, advice }) => [
    figure(own),
    `${Math.round((100 * own) / misses)} %`,
    name,
    client,
    advice.join(', or '),
  ])
  return `${summary}\n${columns([head, ...lines])}`
}
