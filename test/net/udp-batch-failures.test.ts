import { execFile } from 'node:child_process'
import { closeSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { transformSync } from 'esbuild'
import koffi from 'koffi'
import t from 'tap'
import { SO_MEMINFO } from '../../src/net/udp-batch/layout.ts'
import {
  batchCalls,
  EAGAIN,
  EBADF,
  EINTR,
  EINVAL,
  ENOBUFS,
  ENOPROTOOPT,
  type Libc,
  SystemError,
} from '../../src/net/udp-batch/libc.ts'
import { Poll } from '../../src/net/udp-batch/poll.ts'
import { openSocket } from '../../src/net/udp-batch/socket.ts'
import { counted, echo, libc, open, testBatch, testClient } from '../helpers/udp-batch.ts'

/** sendmmsg that fails as it is told, one errno for each call; 0 sends one message, undefined all. */
function failing(script: readonly (number | undefined)[]): {
  readonly calls: Libc
  readonly left: (number | undefined)[]
} {
  const left = [...script]
  let errno = 0
  const calls: Libc = {
    ...libc,
    sendmmsg(fd, headers, count, flags) {
      const now = left.shift()
      if (now === undefined) return libc.sendmmsg(fd, headers, count, flags)
      if (now === 0) return libc.sendmmsg(fd, headers, 1, flags)
      errno = now
      return -1
    },
    errno: () => errno,
  }
  return { calls, left }
}

/** What is said in the script, which of five replies arrive, and what is counted. */
const scripts: readonly {
  readonly what: string
  readonly script: readonly (number | undefined)[]
  readonly arrive: string
  readonly counts: Record<number, number>
}[] = [
  { what: 'partial sends go on where they stopped', script: [0, 0], arrive: '01234', counts: {} },
  { what: 'an interrupted call is made again', script: [EINTR, 0, EINTR, EINTR], arrive: '01234', counts: {} },
  { what: 'a bad message is left out', script: [0, EINVAL], arrive: '0234', counts: { [EINVAL]: 1 } },
  { what: 'no room, once', script: [EAGAIN, 0, ENOBUFS], arrive: '01234', counts: {} },
  { what: 'no room, twice', script: [0, EAGAIN, EAGAIN], arrive: '0234', counts: { [EAGAIN]: 1 } },
  { what: 'no buffers, twice each', script: Array(10).fill(ENOBUFS), arrive: '', counts: { [ENOBUFS]: 5 } },
  { what: 'the last ones are bad', script: [0, 0, 0, 1, 101], arrive: '012', counts: { 1: 1, 101: 1 } },
  { what: 'an errno that nobody knows', script: [512], arrive: '1234', counts: { 0: 1 } },
]

for (const { what, script, arrive, counts } of scripts) {
  t.test(`sending: ${what}`, async t => {
    const { calls, left } = failing(script)
    const socket = open(t)
    const { batch, failures } = testBatch(t, calls)
    const client = await testClient(t)
    for (const text of '01234') await client.send(text, socket.port, '127.0.0.1')
    t.equal(batch.receive(socket.fd, false), 5)
    for (let i = 0; i < 5; i++) batch.reply(i, 1)
    t.equal(batch.send(socket.fd), arrive.length)
    t.strictSame(left, [])
    t.strictSame(counted(failures), counts)
    await client.send('end', socket.port, '127.0.0.1')
    t.strictSame(echo(batch, socket.fd), { received: 1, sent: 1 })
    for (const text of [...arrive, 'end']) t.equal((await client.received()).text, text)
  })
}

t.test('a call that sends nothing and says nothing does not go on for ever', async t => {
  const socket = open(t)
  const { batch, failures } = testBatch(t, { ...libc, sendmmsg: () => 0 })
  const client = await testClient(t)
  await client.send('?', socket.port, '127.0.0.1')
  t.strictSame(echo(batch, socket.fd), { received: 1, sent: 0 })
  t.strictSame(counted(failures), { 0: 1 })
})

t.test('a descriptor that is none', async t => {
  const socket = openSocket(libc, { address: '127.0.0.1', port: 0 })
  const { batch, failures } = testBatch(t)
  const client = await testClient(t)
  for (const text of '01') await client.send(text, socket.port, '127.0.0.1')
  t.equal(batch.receive(socket.fd, true), 2)
  const poll = new Poll(libc, [socket.fd])
  socket.close()
  for (const i of [0, 1]) batch.reply(i, 1)
  t.equal(batch.send(socket.fd), 0)
  t.strictSame(counted(failures), { [EBADF]: 2 })
  t.equal(batch.receive(socket.fd, true), -EBADF)
  t.equal(batch.receive(socket.fd, false), -EBADF)
  t.equal(poll.wait(), 1)
  t.ok(poll.isReady(0), 'receiving then says why')
})

t.test('a system that does not tell what it has thrown away', async t => {
  let errno = ENOPROTOOPT
  const getsockopt: Libc['getsockopt'] = (fd, level, option, value, length) =>
    option === SO_MEMINFO ? -1 : libc.getsockopt(fd, level, option, value, length)
  const socket = open(t, {}, { ...libc, getsockopt, errno: () => errno })
  t.equal(socket.dropped(), 0)
  errno = EBADF
  t.throws(() => socket.dropped(), new SystemError('getsockopt', EBADF, 'of option 1/55'))
})

t.test('waiting for several fails', async t => {
  const poll = new Poll({ ...libc, poll: () => -1, errno: () => EINTR }, [0])
  t.equal(poll.wait(), -EINTR)
})

t.test('without glibc the system calls are made themselves', async t => {
  const calls: Libc = { ...libc, ...batchCalls(koffi.load(null), false) }
  const socket = open(t, { address: '' }, calls)
  const { batch, failures } = testBatch(t, calls)
  const client = await testClient(t)
  for (let i = 0; i < 70; i++) await client.send(String(i), socket.port, '127.0.0.4')
  t.strictSame(echo(batch, socket.fd), { received: 70, sent: 70 })
  for (let i = 0; i < 70; i++) t.equal((await client.received()).text, String(i))
  t.equal(batch.receive(socket.fd, true), -EAGAIN)
  closeSync(socket.fd)
  t.equal(batch.receive(socket.fd, true), -EBADF)
  t.strictSame(counted(failures), {})
  t.throws(() => socket.close(), new SystemError('close', EBADF))
})

/** As a script, because without a compiler Node cannot read TypeScript. */
const script = transformSync(readFileSync(join(import.meta.dirname, '../../src/net/udp-batch/libc.ts'), 'utf8'), {
  loader: 'ts',
}).code.replace(/^import .*errors\.ts.*$/m, 'const messageOf = error => error.message')

/** What `batchSupport` says in a process of its own, after a piece of script. */
async function supportIn(flags: readonly string[], before = ''): Promise<string> {
  const after = "batchSupport().then(support => process.stdout.write(support.ok ? 'ok' : support.reason))"
  const args = ['--no-warnings', ...flags, '--input-type=module', '--eval', `${before}\n${script}\n${after}`]
  // Without what tap loads into every process: it needs permissions.
  return (await promisify(execFile)('env', ['--ignore-environment', process.execPath, ...args])).stdout
}

const defining = (object: string, property: string, value: string) =>
  `Object.defineProperty(${object}, '${property}', { value: '${value}' })`

const resolving = (then: string) => `
  import { registerHooks } from 'node:module'
  registerHooks({ resolve(name, context, next) { if (name === 'koffi') { ${then} } return next(name, context) } })`

/** With another koffi: each of its functions returns -1. */
const failingWith = (errno: number) => {
  const koffi = `export const load = () => ({ func: () => () => -1 }), errno = () => ${errno}, view = null`
  return resolving(`return { url: 'data:text/javascript,${encodeURIComponent(koffi)}', shortCircuit: true }`)
}

const permission = ['--permission', '--allow-fs-read=*']

for (const [what, reason, flags, before] of [
  ['here', 'ok', []],
  ['an interpreter', 'JavaScript is not compiled here (--jitless)', ['--jitless']],
  ['no permission', "Node's permission model is on without --allow-addons and --allow-worker", permission],
  ['permission', 'ok', [...permission, '--allow-addons', '--allow-worker']],
  [
    'another system',
    `it needs Linux on x64 or arm64, and this is darwin on ${process.arch}`,
    [],
    defining('process', 'platform', 'darwin'),
  ],
  [
    'another processor',
    'it needs Linux on x64 or arm64, and this is linux on riscv64',
    [],
    defining('process', 'arch', 'riscv64'),
  ],
  ['no binary', 'koffi cannot be loaded: none', [], resolving("throw new Error('none\\nand more')")],
  ['a system that knows the calls', 'ok', [], failingWith(EBADF)],
  ['a filter', 'the system does not let it use recvmmsg and sendmmsg (EPERM)', [], failingWith(1)],
] as const) {
  t.test(`whether it can be had, in one clause: ${what}`, async t => {
    t.equal(await supportIn(flags, before), reason)
  })
}
