import t from 'tap'
import { ownHeap, saveMemory, tidy } from '../../src/cli/memory.ts'
import { testClock } from '../helpers/clock.ts'

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

/** A heap that is as large and as busy as is said, and a tenth as large after a collection. */
function fakeHeap(size: number, busy: number) {
  const heap = {
    sizes: size,
    share: busy,
    collections: 0,
    size: () => heap.sizes,
    busy: () => heap.share,
    collect() {
      heap.collections++
      heap.sizes /= 10
    },
  }
  return heap
}

t.test('what a burst left is collected in a quiet moment after it', async t => {
  const clock = testClock()
  const heap = fakeHeap(1000, 0.9)
  const timer = tidy(clock, heap)
  clock.advance(60_000)
  t.equal(heap.collections, 0, 'not while there is work')
  heap.share = 0.01
  clock.advance(10_000)
  t.equal(heap.collections, 1)
  t.equal(heap.sizes, 100)
  heap.sizes = 140
  clock.advance(3_600_000)
  t.equal(heap.collections, 1, 'little is left alone')
  heap.sizes = 500
  clock.advance(10_000)
  t.equal(heap.collections, 2)
  heap.sizes = 500
  clock.advance(50_000)
  t.equal(heap.collections, 2, 'not again soon')
  clock.advance(10_000)
  t.equal(heap.collections, 3)
  heap.sizes = 500
  timer.cancel()
  clock.advance(3_600_000)
  t.equal(heap.collections, 3)
})

t.test('the heap of this process', async t => {
  const collections: unknown[] = []
  const { gc } = globalThis
  t.teardown(() => {
    globalThis.gc = gc
  })
  globalThis.gc = undefined
  t.equal(ownHeap(), undefined, 'is left alone where nothing collects it')
  globalThis.gc = ((how: unknown) => collections.push(how)) as never
  const heap = ownHeap()!
  t.ok(heap.size() > 1_000_000)
  const busy = heap.busy()
  t.ok(busy >= 0 && busy <= 1, `${busy}`)
  heap.collect()
  t.match(collections, [{ type: 'major', execution: 'sync' }])
})
