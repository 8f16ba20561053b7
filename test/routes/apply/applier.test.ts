/** How a kernel follows what is wanted, whatever goes wrong on the way. */
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import type { ClusterObject } from '../../../src/cluster/objects.ts'
import { logger } from '../../../src/observe/logger.ts'
import { Applier, type Wanted } from '../../../src/routes/apply/applier.ts'
import { Follower } from '../../../src/routes/apply/follower.ts'
import { IptablesKernel } from '../../../src/routes/apply/iptables.ts'
import { NftablesKernel } from '../../../src/routes/apply/nftables.ts'
import { renderIptables } from '../../../src/routes/render/iptables.ts'
import { renderNftables } from '../../../src/routes/render/nftables.ts'
import { destinationsOf } from '../../../src/routes/render/rules.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { testClock } from '../../helpers/clock.ts'
import { cluster, service, slice } from '../../helpers/cluster.ts'
import { type Call, Machine } from '../../helpers/machine.ts'
import { step, take } from '../../helpers/route-changes.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 0xffffffff)
const node = { name: 'n1', zone: '', internalIPs: ['192.168.77.10'] }
const options = { family: 'IPv4', node } as const
const forms = { iptables: IptablesKernel, nftables: NftablesKernel } as const
type Form = keyof typeof forms

/** A machine that follows a cluster, with what a test needs to look at it. */
function lab(form: Form, ...objects: ClusterObject[]) {
  const state = cluster(...objects)
  const table = new RouteTable()
  state.follow(table)
  const machine = new Machine()
  const clock = testClock()
  const lines: string[] = []
  const log = logger({ format: 'text', write: line => lines.push(line.trimEnd()) })
  const kernel = new forms[form]('IPv4', machine.run)
  const wanted = (): Wanted => ({ destinations: destinationsOf(table, 'IPv4'), options })
  return { state, table, machine, clock, lines, log, kernel, wanted, applier: new Applier({ kernel, clock, log }) }
}

type Lab = ReturnType<typeof lab>

/** What the kernel has, and what it would have if it had been given all of it at once. */
function compare(form: Form, { machine, table }: Lab): [found: string, expected: string] {
  const fresh = new Machine()
  if (form === 'iptables') fresh.iptables.iptables.restore(renderIptables(table, options))
  else fresh.nft.load(renderNftables(table, options))
  const contents = ({ iptables, nft }: Machine) => JSON.stringify([iptables.iptables.contents(), nft.contents()])
  return [contents(machine), contents(fresh)]
}

const web = (i: number, ...ips: string[]) => [
  service(`a/web-${i}`, { ip: `10.96.0.${i}`, ports: ['80'] }),
  slice(`a/web-${i}`, ips, { ports: ['80'] }),
]
const webs = [1, 2, 3, 4, 5, 6, 7].flatMap(i => web(i, `10.0.0.${i}`))

/** Has what the kernel is given fail where it speaks of this address. */
const refusing =
  (ip: string) =>
  ({ input }: Call) =>
    input.includes(`${ip} `) || input.includes(`${ip}:`) ? `Error: ${ip}` : undefined

async function attempt({ applier, wanted }: Lab): Promise<unknown> {
  return applier.sync(wanted()).catch((error: Error) => error.message)
}

for (const form of ['iptables', 'nftables'] as const) {
  t.test(`${form}: what fails is tried again, and nothing is lost`, async t => {
    t.comment(`seed ${seed}`)
    const law = fc.asyncProperty(
      fc.array(fc.record({ steps: fc.array(step, { maxLength: 4 }), fails: fc.nat(2).map(n => n === 0) }), {
        maxLength: 12,
      }),
      async moves => {
        const made = lab(form)
        for (const { steps, fails } of moves) {
          for (const each of steps) take(made.state, each)
          made.machine.failing = () => (fails ? 'Error: resource busy' : undefined)
          await attempt(made)
        }
        made.machine.failing = () => undefined
        await attempt(made)
        const [found, expected] = compare(form, made)
        if (found !== expected) throw new Error(`found:\n${found}\nexpected:\n${expected}`)
        if (made.applier.refused.length > 0) throw new Error('a service is blamed')
      },
    )
    await t.resolves(fc.assert(law, { seed, numRuns: 100 }))
  })

  t.test(`${form}: one service that is refused is left out, then tried again`, async t => {
    const made = lab(form, ...webs)
    const { machine, state, applier, lines, clock } = made
    machine.failing = refusing('10.0.0.5')
    for (let i = 0; i < 2; i++) t.match(await attempt(made), /Error: 10\.0\.0\.5/)
    await attempt(made)
    t.same(applier.refused, ['a/web-5'])
    t.match(lines.join('\n'), /service a\/web-5 is left out, its rules stay as they were: .*Error: 10\.0\.0\.5/)
    const text = () => compare(form, made)[0]
    for (const i of [1, 2, 3, 4, 6, 7]) t.ok(text().includes(`10.96.0.${i}`), 'the others are there')
    t.notOk(text().includes('10.96.0.5'))

    state.upsert(web(3, '10.0.0.33')[1]!)
    await attempt(made)
    t.ok(text().includes('10.0.0.33'), 'others go on')
    const calls = machine.calls.length
    await attempt(made)
    t.equal(machine.calls.length, calls, 'it is not tried all the time')
    clock.advance(5000)
    await attempt(made)
    t.ok(machine.calls.length > calls, 'but again')
    t.equal(applier.nextTry, clock.monotonic() + 10_000, 'later each time')

    state.upsert(web(5, '10.0.0.55')[1]!)
    await attempt(made)
    t.same(applier.refused, [], 'at once where it is another one')
    const [found, expected] = compare(form, made)
    t.ok(found === expected)
  })

  t.test(`${form}: a change that is refused leaves the rules of its service as they were`, async t => {
    const made = lab(form, ...webs)
    await attempt(made)
    made.machine.failing = refusing('10.0.0.66')
    made.state.upsert(web(6, '10.0.0.66')[1]!)
    made.state.upsert(web(2, '10.0.0.22')[1]!)
    for (let i = 0; i < 3; i++) await attempt(made)
    t.same(made.applier.refused, ['a/web-6'])
    const [found] = compare(form, made)
    t.ok(/10\.0\.0\.6\b/.test(found))
    t.ok(found.includes('10.0.0.22'))
  })

  t.test(`${form}: no service is blamed where the tool is at fault`, async t => {
    const made = lab(form, ...webs)
    made.machine.failing = () => 'Error: no'
    for (let i = 0; i < 5; i++) t.match(await attempt(made), /Error: no/)
    t.same(made.applier.refused, [])
    made.machine.failing = () => undefined
    await attempt(made)
    const [found, expected] = compare(form, made)
    t.ok(found === expected)
  })
}

/** Lets everything go on that need not wait for the clock. */
async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await setImmediate()
}

t.test('iptables: what somebody else has changed is told, and put right', async t => {
  const made = lab('iptables', ...webs)
  const { machine, applier } = made
  const kernel = machine.iptables.iptables
  await attempt(made)
  t.same(await applier.check(), [])
  const saves = () => machine.calls.filter(({ command }) => command === 'iptables-save').length
  const damages: readonly [
    what: RegExp,
    damage: (nat: Map<string, string[]>, filter: Map<string, string[]>) => unknown,
  ][] = [
    [/missing: nat KUBE-SERVICES, service a\/web-3: .*10\.96\.0\.3/, nat => nat.get('KUBE-SERVICES')!.splice(2, 1)],
    [/nat PREROUTING/, nat => nat.set('PREROUTING', [])],
    [/nat: -D PREROUTING/, nat => nat.get('PREROUTING')!.push(nat.get('PREROUTING')![0]!)],
    [/extra: nat KUBE-POSTROUTING/, nat => nat.get('KUBE-POSTROUTING')!.push('-j ACCEPT')],
    [/filter FORWARD/, (_, filter) => [...filter.keys()].map(chain => filter.set(chain, []))],
  ]
  for (const [what, damage] of damages) {
    damage(kernel.tables.get('nat')!, kernel.tables.get('filter')!)
    t.match((await applier.check()).join('\n'), what)
    await attempt(made)
    const [found, expected] = compare('iptables', made)
    t.ok(found === expected)
    t.same(await applier.check(), [])
  }
  t.equal(saves(), 1 + damages.length * 3 + 1)
})

t.test('iptables: a change to what the kernel has lost is loaded as a whole', async t => {
  const made = lab('iptables', ...webs)
  const { machine, state } = made
  await attempt(made)
  const nat = machine.iptables.iptables.tables.get('nat')!
  for (const chain of nat.keys()) nat.set(chain, [])
  for (const chain of nat.keys()) if (chain.startsWith('KUBE')) nat.delete(chain)
  state.upsert(web(3, '10.0.0.33')[1]!)
  t.match(await attempt(made), /which is not there/)
  await attempt(made)
  const [found, expected] = compare('iptables', made)
  t.ok(found === expected)
  t.match(made.lines.join('\n'), /somebody else has changed it: missing: nat/)
})

t.test('the first change at once, those close behind it together, failures after growing pauses', async t => {
  const made = lab('nftables', ...webs)
  const { machine, clock, state, kernel, wanted, log, lines } = made
  const follower = new Follower({ kernel, clock, log, wanted, minSyncMs: 100, checkMs: 0 })
  const stop = new AbortController()
  const synced: number[] = []
  const running = follower.run(stop.signal, async () => void synced.push(clock.monotonic()))
  await settle()
  t.same(synced, [0])
  const change = async (i: number) => {
    state.upsert(web(1, `10.0.1.${i}`)[1]!)
    follower.poke()
    await settle()
  }
  const pass = async (ms: number) => {
    clock.advance(ms)
    await settle()
  }
  await pass(1000)
  await change(1)
  t.same(synced, [0, 1000], 'at once')
  await change(2)
  await change(3)
  t.same(synced, [0, 1000])
  await pass(99)
  t.same(synced, [0, 1000])
  await pass(1)
  t.same(synced, [0, 1000, 1100], 'both together')
  t.match(machine.calls.at(-1)?.input, '10.0.1.3')
  t.match(lines.at(-1), /^\[INFO\] 1 service changed \(a\/web-1\) in 0 ms$/)
  await pass(10_000)

  machine.failing = ({ command }) => (command === 'nft' ? 'Error: no' : undefined)
  const before = machine.calls.length
  await change(4)
  t.equal(machine.calls.length, before + 1)
  t.match(lines.at(-1), /not loaded, it is tried again in 100 ms: nft: Error: no/)
  await pass(99)
  t.equal(machine.calls.length, before + 1)
  await pass(1)
  await pass(200)
  t.match(lines.at(-1), /not loaded, it is tried again in 400 ms: nft: Error: no/)
  t.equal(follower.behindMs, 300)
  machine.failing = () => undefined
  await pass(400)
  t.equal(follower.behindMs, 0)
  t.ok(compare('nftables', made)[0] === compare('nftables', made)[1])
  t.match(lines.at(-1), /^\[INFO\] all loaded: 7 services in 0 ms$/, 'as this nft cannot be compared with')
  stop.abort()
  await running
})

t.test('where nobody waits for the next change, it ends after some attempts', async t => {
  const { machine, clock, kernel, wanted, log } = lab('nftables', ...webs)
  machine.failing = () => 'Error: no'
  const ended = t.rejects(new Follower({ kernel, clock, log, wanted, minSyncMs: 100, checkMs: 0 }).once(3), {
    code: 'PORTOLAN_APPLY_REFUSED',
    message: 'nft: Error: no',
  })
  for (let i = 0; i < 3; i++) {
    await settle()
    clock.advance(30_000)
  }
  await ended
})

t.test('a comparison that takes long is made the more seldom', async t => {
  const { clock, kernel, wanted, log } = lab('iptables', ...webs)
  let takesMs = 0
  const began: number[] = []
  const check = async () => {
    began.push(clock.monotonic())
    clock.advance(takesMs)
    return []
  }
  const slow = new Proxy(kernel, {
    get: (target, name) => {
      if (name === 'check') return check
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const follower = new Follower({ kernel: slow, clock, log, wanted, minSyncMs: 100, checkMs: 1000 })
  const stop = new AbortController()
  const loaded = Promise.withResolvers<void>()
  const running = follower.run(stop.signal, async () => loaded.resolve())
  await loaded.promise
  const pass = async (seconds: number) => {
    for (let i = 0; i < 10 * seconds; i++) {
      await settle()
      clock.advance(100)
    }
    await settle()
  }
  await pass(2)
  t.same(began, [1000, 2000])
  takesMs = 1000
  await pass(1)
  t.same(began.slice(2), [3000])
  takesMs = 2000
  await pass(1)
  takesMs = 0
  await pass(102)
  t.same(began.slice(2, 5), [3000, 5000, 107_000], 'after 100 seconds of rest')
  stop.abort()
  await running
})
