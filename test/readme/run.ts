/**
 * The README's first minute, on a fresh clone and with whatever Node the machine has: `npm ci && npm start`, then the README's own
 * dig lines and its walk of a pod's resolver, whose answers must be those that the README shows, and every kind of answer of the sample cluster. Ends with the
 * line `N passed, N failed`.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What dig says of the sample cluster: arguments behind the server's, and a pattern for the whole output. */
const answers: readonly [question: string, expected: RegExp][] = [
  ['web.shop.svc.cluster.local A +short', /^10\.96\.10\.10$/],
  ['WEB.shop.svc.CLUSTER.local A', /\nWEB\.shop\.svc\.CLUSTER\.local\. 5\s+IN\s+A\s+10\.96\.10\.10\n/],
  ['search.shop.svc.cluster.local A +short', /^10\.\d+\.\d+\.\d+$/],
  ['search.shop.svc.cluster.local AAAA +short', /^fd00:10:96::[\da-f:]+$/],
  ['_http._tcp.web.shop.svc.cluster.local SRV +short', /^0 100 80 web\.shop\.svc\.cluster\.local\.$/],
  ['db.data.svc.cluster.local A +short', /^(10\.244\.\d+\.\d+\n){2}10\.244\.\d+\.\d+$/],
  ['db-0.db.data.svc.cluster.local A +short', /^10\.244\.38\.222$/],
  ['-x 10.96.10.10 +short', /^web\.shop\.svc\.cluster\.local\.$/],
  ['database.shop.svc.cluster.local CNAME +short', /^db\.data\.svc\.cluster\.local\.$/],
  ['database.shop.svc.cluster.local A +short', /^db\.data\.svc\.cluster\.local\.(\n10\.244\.\d+\.\d+){3}$/],
  ['reports-pods.data.svc.cluster.local A', /status: NXDOMAIN/],
  [
    'nothing.shop.svc.cluster.local A',
    /status: NXDOMAIN[\s\S]*\ncluster\.local\.\s+5\s+IN\s+SOA\s+ns\.dns\.cluster\.local\./,
  ],
  ['web.shop.svc.cluster.local MX', /status: NOERROR[\s\S]*ANSWER: 0, AUTHORITY: 1[\s\S]*IN\s+SOA/],
  ['web.shop.svc.cluster.local A +tcp +short', /^10\.96\.10\.10$/],
]

let passed = 0
let failed = 0

function report(ok: boolean, what: string, detail = ''): void {
  if (ok) passed++
  else failed++
  process.stdout.write(`${ok ? 'ok    ' : 'not ok'} ${what}${ok ? '' : `\n${detail}`}\n`)
}

/** The commands of the README's `sh` blocks, and the output block behind the dig lines. */
function readme(): { commands: string[]; output: string } {
  const text = readFileSync('README.md', 'utf8')
  const commands = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block]) => block!.trim().split('\n'))
  const output = /^```\n([\d.]+\n[\s\S]*?)^```$/m.exec(text)?.[1] ?? ''
  return { commands, output }
}

async function dig(args: string): Promise<string> {
  const { stdout } = await run('dig', ['@127.0.0.1', '-p', '1053', '+tries=1', '+time=3', ...args.split(' ')])
  return stdout.replace(/\t+/g, ' ').trim()
}

/** The README's walk of a pod's resolver: the command, and what it shows. Times are left out. */
function walk(): { args: string[]; shown: string } {
  const text = readFileSync('README.md', 'utf8')
  const [, args = '', shown = ''] = /^\$ portolan (query .*)\n([\s\S]*?)^```$/m.exec(text) ?? []
  return { args: args.split(' '), shown: withoutTimes(shown) }
}

function withoutTimes(text: string): string {
  return text.replace(/\d+ ms/g, '… ms')
}

/** Waits until the server answers; at most as long as a slow machine needs to install and start. */
async function started(server: ChildProcess, output: () => string): Promise<void> {
  for (let i = 0; i < 1_200; i++) {
    if (server.exitCode !== null) throw new Error(`it ended with code ${server.exitCode}:\n${output()}`)
    if (output().includes('dig @127.0.0.1')) return
    await sleep(250)
  }
  throw new Error(`it did not start within five minutes:\n${output()}`)
}

const folder = mkdtempSync(join(tmpdir(), 'portolan-readme-'))
const { commands, output } = readme()
const digs = commands.filter(command => command.startsWith('dig '))
let server: ChildProcess | undefined
try {
  report(commands[0] === 'npm ci && npm start', 'the README begins with npm ci && npm start', commands[0])
  report(commands.includes('npm ci && npm test'), 'and has npm ci && npm test')
  await run('git', ['clone', '--quiet', '--depth=1', `file://${process.cwd()}`, folder])
  // Not the project's own Node, which npm puts first on the PATH, but the machine's.
  const path = (process.env['PATH'] ?? '').split(':').filter(entry => !entry.includes('node_modules'))
  const begun = performance.now()
  server = spawn('bash', ['-c', commands[0]!], {
    cwd: folder,
    env: { ...process.env, PATH: path.join(':') },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that npm and what it started end together.
    detached: true,
  })
  let said = ''
  for (const stream of [server.stdout!, server.stderr!]) stream.on('data', chunk => (said += chunk))
  await started(server, () => said)
  report(true, `started after ${((performance.now() - begun) / 1000).toFixed(1)} s`)

  const shown: string[] = []
  for (const command of digs) shown.push(await dig(command.replace('dig @127.0.0.1 -p 1053 ', '')))
  report(`${shown.join('\n')}\n` === output, 'the answers are those that the README shows', shown.join('\n'))
  for (const [question, expected] of answers) {
    const answer = await dig(question)
    report(expected.test(answer), `dig ${question}`, answer)
  }
  const { args, shown: wanted } = walk()
  const { stdout } = await run('npm', ['run', '--silent', 'portolan', '--', ...args], { cwd: folder })
  report(withoutTimes(stdout) === wanted, `portolan ${args.join(' ')}`, stdout)
} catch (error) {
  report(false, 'the first minute', String(error))
} finally {
  if (server?.pid !== undefined && server.exitCode === null) process.kill(-server.pid, 'SIGTERM')
  rmSync(folder, { recursive: true, force: true })
}
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1
