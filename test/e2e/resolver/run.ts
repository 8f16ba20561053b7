/**
 * Compares the walks of `src/client` with the real getaddrinfo(3) of glibc and musl: for each case, what the real one sends to servers
 * that follow a script, as tcpdump sees it, and what the walk sends to the same script. All in a network namespace of its own.
 * Run by `npm run test:resolver`, as root; `--help` tells the options.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { rehearse, walkOf } from '../../../src/client/resolver/rehearsal.ts'
import { type Libc, resolverConfig } from '../../../src/client/resolver/resolver-config.ts'
import type { AddressType, Result } from '../../../src/client/resolver/walk.ts'
import { runNamespaced, say, type Totals } from '../namespaced-suite.ts'
import { run } from '../routes/namespace.ts'
import { Tally } from '../tally.ts'
import { Capture, type Captured } from './capture.ts'
import { type Case, cases } from './cases.ts'
import { glibcLookup, type Lookup, muslLookup, stubLookup, typesOf } from './programs.ts'
import { type Action, actionFor, reactionTo } from './script.ts'
import { scriptedServer } from './scripted-server.ts'

const usage = `usage: npm run test:resolver -- [options]
  --libc NAME  only this library: glibc or musl
  --case N     only this case, and what was sent
  --verbose    a line for each case

$MUSL_GCC is the compiler for musl (musl-gcc).
`

/** How many lookups run at a time: nearly all of them wait. */
const AT_ONCE = 8
/** A lookup that differs is done again by itself: on a busy machine a server's answer may come too late. */
const TRIES = 2
const MOST_SERVERS = 4

const { values: given } = parseArgs({
  options: {
    libc: { type: 'string' },
    case: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

await runNamespaced({
  help: given.help ? usage : undefined,
  async obstacle() {
    for (const [command, ...args] of [
      ['unshare', '--net', '--mount', '--uts', 'true'],
      ['ip', '-V'],
      ['tcpdump', '--version'],
    ] as const) {
      const { error, status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
      if (error || status !== 0) return `${command}: ${error?.message ?? stderr.trim()}`
    }
    return undefined
  },
  test: testAll,
})

async function testAll(): Promise<Totals> {
  run('ip', ['link', 'set', 'lo', 'up'])
  const folder = mkdtempSync(join(tmpdir(), 'portolan-resolver-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const tally = new Tally(line => (given.verbose || line.startsWith('not ok') ? say(line) : undefined))
  let skipped = 0
  const lookups: readonly (readonly ['glibc' | 'musl', Lookup | string])[] = [
    ['glibc', glibcLookup()],
    ['musl', muslLookup(folder)],
    ['glibc', stubLookup('glibc')],
    ['musl', stubLookup('musl')],
  ]
  for (const [name, lookup] of lookups) {
    if ((given.libc ?? name) !== name) continue
    if (typeof lookup !== 'string') await compare(lookup, name, folder, tally)
    else {
      say(`${name} is not compared: ${lookup}`)
      skipped++
    }
  }
  return { passed: tally.passed, failed: tally.failed, skipped }
}

/** A case with the addresses that are its own, so that many can run at a time. */
interface Numbered extends Case {
  readonly number: number
  readonly servers: readonly string[]
}

async function compare(lookup: Lookup, name: 'glibc' | 'musl', folder: string, tally: Tally): Promise<void> {
  const started = performance.now()
  const own = cases
    .map((one, number) => numbered(one, number))
    .filter(({ only, number }) => (only ?? name) === name && (given.case ?? `${number}`) === `${number}`)
  let left = own
  let wrong = new Map<number, string>()
  for (let i = 0; i < TRIES && left.length > 0; i++) {
    wrong = await differences(lookup, left, folder, i === 0 ? AT_ONCE : 1)
    left = left.filter(({ number }) => wrong.has(number))
  }
  for (const one of own) tally.check(titleOf(lookup, one), wrong.get(one.number))
  const seconds = Math.round((performance.now() - started) / 1000)
  say(`${lookup.title}: ${own.length} cases, ${wrong.size} differ (${seconds} s)`)
}

function numbered(one: Case, number: number): Numbered {
  const servers = Array.from({ length: MOST_SERVERS }, (_, i) => `127.${1 + (number >> 8)}.${number & 255}.${i + 1}`)
  const resolvConf = one.resolvConf.replaceAll(/\$(\d)/g, (_, digit) => servers[Number(digit) - 1]!)
  return { ...one, resolvConf, number, servers }
}

function titleOf({ title }: Lookup, { number, name, family, resolvConf, script }: Numbered): string {
  const told = script.map(rule => Object.values(rule).join('/')).join(' ')
  return `${title} ${number}: ${name} ${family} [${told}] ${JSON.stringify(resolvConf)}`
}

/** Does these lookups; what differs, by the case's number. */
async function differences(
  lookup: Lookup,
  numbered: readonly Numbered[],
  folder: string,
  atOnce: number,
): Promise<Map<number, string>> {
  const capture = await Capture.start(join(folder, 'capture'))
  const outputs = new Map<number, readonly string[]>()
  const queue = [...numbered]
  const worker = async (): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      outputs.set(one.number, await perform(lookup, one, join(folder, `${one.number}`)))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  const sent = Map.groupBy(await capture.stop(), ({ server }) => server.replace(/\.\d+$/, ''))
  const wrong = new Map<number, string>()
  for (const one of numbered) {
    const queries = sent.get(one.servers[0]!.replace(/\.\d+$/, '')) ?? []
    const difference = differenceOf(lookup, one, queries, outputs.get(one.number)!)
    if (difference !== undefined) wrong.set(one.number, difference)
  }
  return wrong
}

async function perform(lookup: Lookup, one: Numbered, folder: string): Promise<readonly string[]> {
  await using stack = new AsyncDisposableStack()
  for (const [i, address] of one.servers.entries()) {
    const isAbsent = one.script.some(({ does, server }) => does === 'absent' && (server ?? i + 1) === i + 1)
    if (!isAbsent) stack.use(await scriptedServer(address, i + 1, one.script))
  }
  const { name, family, resolvConf, hostname = 'pod' } = one
  // Waited for here: the servers go when this function ends.
  return await lookup.look({ name, family, resolvConf, hostname }, folder)
}

function differenceOf(
  { libc, exact }: Lookup,
  one: Numbered,
  queries: readonly Captured[],
  output: readonly string[],
): string | undefined {
  const config = resolverConfig(one.resolvConf, libc, one.hostname ?? 'pod')
  // Where `rotate` begins is chance's: taken over from what was seen.
  const start = Math.max(0, config.servers.indexOf(queries[0]?.server ?? ''))
  const walk = walkOf(libc, config, one.name, typesOf[one.family], () => (start + 0.5) / config.servers.length)
  const result = rehearse(walk, query => reactionTo(actionOf(one, query), query))
  const sent = result.steps.flatMap(({ exchanges }) => exchanges.map(({ query }) => query))
  // On a connection that is refused nothing is sent.
  const isSeen = (query: Seen) => actionOf(one, query) !== 'absent' || (exact && query.transport === 'udp')
  const seen = queries.map(query => ({ ...query, socket: query.port }))
  const [expected, found] = [sent, seen].map(list => lines(list.filter(isSeen), exact)) as [string[], string[]]
  if (given.case !== undefined) say(`sent\n  ${found.join('\n  ')}\nwalk\n  ${expected.join('\n  ')}`)
  const first = [...found, undefined].findIndex((line, i) => line !== expected[i])
  if (first >= 0) return `query ${first + 1} is ${found[first] ?? 'not sent'}, expected ${expected[first] ?? 'none'}`
  return outcomeDifference(libc, result, output)
}

type Seen = Omit<Captured, 'port'> & { readonly socket: number }

function actionOf({ servers, script }: Numbered, query: Pick<Seen, 'name' | 'type' | 'transport' | 'server'>): Action {
  // Nothing else is asked for.
  const type = query.type as AddressType
  return actionFor(script, { ...query, type, server: servers.indexOf(query.server) + 1 })
}

/** One line a query; ports are counted in the order in which they appear. */
function lines(queries: readonly Seen[], withPorts: boolean): string[] {
  const sockets: number[] = []
  return queries.map(({ server, transport, socket, name, type, edns, ad }) => {
    if (!sockets.includes(socket)) sockets.push(socket)
    const port = withPorts ? ` from port ${sockets.indexOf(socket) + 1}` : ''
    return `${name} ${type} to ${server} ${transport}${port}${edns ? ' edns' : ''}${ad ? ' ad' : ''}`
  })
}

function outcomeDifference(libc: Libc, { outcome, addresses }: Result, output: readonly string[]): string | undefined {
  // These two are one and the same to most programs, and to Node.
  const plain = (text: string) => (libc === 'glibc' && text === 'EAI_NODATA' ? 'EAI_NONAME' : text)
  const expected = outcome === 'found' ? [...new Set(addresses)].toSorted().join(' ') : plain(outcome)
  const found = [...new Set(output.map(plain))].toSorted().join(' ')
  return found === expected ? undefined : `the program got ${found}, expected ${expected}`
}
