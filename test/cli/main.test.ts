import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { run } from '../helpers/shell.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

/** The program as a process of its own. */
function start(t: Test, args: readonly string[], cwd: string) {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, stdio: ['pipe', 'pipe', 'pipe'] })
  let output = ''
  let look = () => {}
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', text => {
      output += text
      look()
    })
  }
  const ended = new Promise<number | null>(resolve => child.on('close', resolve))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const wrote = (pattern: RegExp) => {
    return new Promise<RegExpExecArray>((resolve, reject) => {
      look = () => {
        const found = pattern.exec(output)
        if (found) resolve(found)
      }
      look()
      void ended.then(() => reject(new Error(`ended without ${pattern}: ${output}`)))
    })
  }
  return { child, ended, wrote, output: () => output }
}

/** The local TCP ports that a process listens on. */
function listening(pid: number): number[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).map(fd => /^socket:\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1]),
  )
  const rows = ['tcp', 'tcp6'].flatMap(table => readFileSync(`/proc/${pid}/net/${table}`, 'utf8').split('\n').slice(1))
  return rows
    .map(row => row.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === '0A' && sockets.has(inode))
    .map(([, local]) => Number.parseInt(local!.split(':')[1]!, 16))
}

t.test('without a Corefile it is whoami; SIGUSR1 reloads and opens no debugger', async t => {
  const { child, ended, wrote, output } = start(t, ['-p', '0'], t.testdir({}))
  const [, port = ''] = await wrote(/dns:\/\/:(\d+) {3}\. {3}log · whoami\n/)
  t.match(await run(['query', 'a.test', `@127.0.0.1:${port}`]), { code: 0, out: 'status: NOERROR' })
  child.kill('SIGUSR1')
  await wrote(/SIGUSR1: reloading\n(.*\n)*.*Reloading complete/)
  // One socket for IPv4, and one for IPv6 where there is any.
  t.strictSame(new Set(listening(child.pid!)), new Set([Number(port)]))
  child.kill('SIGTERM')
  t.equal(await ended, 0)
  t.notMatch(output(), /Debugger/)
})

t.test('the standard input, and the exit code of a mistake', async t => {
  const { child, ended, output } = start(t, ['check', '-'], t.testdir({}))
  child.stdin.end('. {\n whoamy\n}\n')
  t.equal(await ended, 1)
  t.match(output(), '-:2:2: unknown plugin "whoamy"')
})

t.test('all of a long output reaches a reader that is slow', async t => {
  const externalIPs = Array.from({ length: 250 }, (_, i) => `192.0.2.${i}`)
  const services = Array.from({ length: 40 }, (_, i) => ({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: `s${i}`, namespace: 'shop' } },
    spec: { clusterIP: `10.96.0.${i}`, externalIPs, ports: [{ port: 80 }] },
  }))
  const folder = t.testdir({ 'all.json': JSON.stringify({ apiVersion: 'v1', kind: 'List', items: services }) })
  const child = spawn('/bin/sh', [
    '-c',
    '"$@" | (sleep 1; cat)',
    'sh',
    process.execPath,
    MAIN,
    'routes',
    'list',
    '-o',
    'json',
    '-manifests',
    folder,
  ])
  const chunks: Buffer[] = []
  child.stdout.on('data', chunk => chunks.push(chunk))
  await new Promise(resolve => child.on('close', resolve))
  const text = Buffer.concat(chunks).toString()
  t.ok(text.length > 1_000_000)
  t.equal(JSON.parse(text).routes.length, 40 * 251)
})
