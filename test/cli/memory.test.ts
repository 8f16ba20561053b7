import t from 'tap'
import { saveMemory } from '../../src/cli/memory.ts'

/** Has a process with these properties save memory; returns what it became, if anything. */
function became(properties: Partial<Pick<NodeJS.Process, 'execArgv' | 'env' | 'execve'>>) {
  const calls: Parameters<NonNullable<NodeJS.Process['execve']>>[] = []
  const process = {
    execPath: '/bin/node',
    argv: ['/bin/node', 'main.js', 'serve', '-conf', 'Corefile'],
    execArgv: [],
    env: { HOME: '/root' },
    execve: (...call: (typeof calls)[number]) => void calls.push(call),
    ...properties,
  }
  saveMemory(process as unknown as NodeJS.Process)
  return calls
}

t.test('the process begins anew with its own arguments behind', async t => {
  const [call, ...others] = became({ execArgv: ['--inspect'] })
  t.same(others, [])
  t.same(call?.[0], '/bin/node')
  const args = call?.[1] ?? []
  t.match(args, ['/bin/node', /^--max-semi-space-size=\d+$/, /^--heap-growing-percent=\d+$/, '--expose-gc'])
  t.same(args.slice(4), ['--inspect', 'main.js', 'serve', '-conf', 'Corefile'])
  t.same(call?.[2], { HOME: '/root', MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' })
})

t.test('what somebody chose stays', async t => {
  t.same(became({ env: { NODE_OPTIONS: '--max-semi-space-size=32' } }), [])
  t.same(became({ execArgv: ['--heap-growing-percent=100'] }), [])
  t.equal(became({ env: { MALLOC_ARENA_MAX: '8' } })[0]?.[2]?.MALLOC_ARENA_MAX, '8')
})

t.test('it begins anew once', async t => {
  const [call] = became({})
  const args = call?.[1] ?? []
  t.same(became({ execArgv: args.slice(1, args.indexOf('main.js')) }), [])
})

t.test('a system that cannot lets it go on', async t => {
  const calls = became({ execve: undefined as never })
  t.same(calls, [])
})
