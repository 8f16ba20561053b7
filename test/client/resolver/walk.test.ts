/** The rules of the walks, each alone. That they are those of the real libraries is what `npm run test:resolver` tests. */
import t from 'tap'
import { type Reaction, rehearse, walkOf } from '../../../src/client/resolver/rehearsal.ts'
import { type Libc, resolverConfig } from '../../../src/client/resolver/resolver-config.ts'
import type { AddressType, Query, Reply } from '../../../src/client/resolver/walk.ts'
import { Rcode } from '../../../src/wire/types.ts'

const base: Reply = { rcode: Rcode.NOERROR, truncated: false, answers: 0, addresses: [], lame: false }
const nodata = base
const nxdomain: Reply = { ...base, rcode: Rcode.NXDOMAIN }
const servfail: Reply = { ...base, rcode: Rcode.SERVFAIL }
const refusal: Reply = { ...base, rcode: Rcode.REFUSED }
const found: Reply = { ...base, answers: 1, addresses: ['192.0.2.1'] }
const cut: Reply = { ...base, truncated: true }

interface Given {
  readonly libc?: Libc
  readonly options?: string
  readonly servers?: number
  readonly types?: readonly AddressType[]
  readonly random?: number
}

/** What is sent, as `NAME TYPE` and, where they are not the first and UDP, server, port and transport; and what it comes to. */
function walk(name: string, react: (query: Query) => Reaction, given: Given = {}) {
  const {
    libc = 'glibc',
    options = 'ndots:5 timeout:1 attempts:1',
    servers = 1,
    types = ['A', 'AAAA'],
    random = 0,
  } = given
  const lines = Array.from({ length: servers }, (_, i) => `nameserver 192.0.2.${i + 1}\n`).join('')
  const config = resolverConfig(`search one.test two.test\n${lines}options ${options}\n`, libc)
  const { outcome, addresses, steps } = rehearse(
    walkOf(libc, config, name, types, () => random),
    react,
  )
  const sent = steps.flatMap(({ exchanges }) => exchanges.map(({ query }) => query))
  const text = ({ name, type, server, transport }: Query) =>
    [name, type, ...(servers > 1 ? [server.at(-1)] : []), ...(transport === 'tcp' ? ['tcp'] : [])].join(' ')
  return { sent: sent.map(text), outcome, addresses, steps, sockets: sent.map(({ socket }) => socket) }
}

/** The names of the walk, with what each came to. */
const names = (...given: Parameters<typeof walk>) =>
  walk(...given).steps.map(({ name, verdict }) => `${name} ${verdict}`)

t.test('the search list, and the name itself last', async t => {
  for (const libc of ['glibc', 'musl'] as const) {
    const { sent, outcome } = walk('web', () => nxdomain, { libc })
    const order = ['web.one.test', 'web.two.test', 'web']
    t.strictSame(
      sent,
      order.flatMap(name => [`${name} A`, `${name} AAAA`]),
    )
    t.equal(outcome, 'EAI_NONAME')
    t.strictSame(
      names('web.two', ({ name }) => (name === 'web.two.two.test' ? found : nxdomain), { libc }),
      ['web.two.one.test nxdomain', 'web.two.two.test found'],
    )
  }
})

t.test('a name with enough dots is asked first; glibc searches after it, musl does not', async t => {
  const options = 'ndots:2'
  t.strictSame(
    walk('a.b.c', () => nxdomain, { options }).steps.map(({ name }) => name),
    ['a.b.c', 'a.b.c.one.test', 'a.b.c.two.test'],
  )
  t.strictSame(
    names('a.b.c', () => nxdomain, { options, libc: 'musl' }),
    ['a.b.c nxdomain'],
  )
})

t.test('a last dot ends it', async t => {
  for (const libc of ['glibc', 'musl'] as const) {
    const { steps } = walk('web.', () => nxdomain, { libc })
    t.match(steps, [{ name: 'web', search: undefined, verdict: 'nxdomain' }])
    t.equal(steps.length, 1)
  }
})

t.test('what ends the search: NODATA and failures, for musl alone', async t => {
  t.strictSame(
    names('web', () => nodata),
    ['web.one.test nodata', 'web.two.test nodata', 'web nodata'],
  )
  t.strictSame(
    names('web', () => nodata, { libc: 'musl' }),
    ['web.one.test nodata'],
  )
  t.strictSame(
    names('web', () => servfail),
    ['web.one.test again', 'web.two.test again', 'web again'],
  )
  t.strictSame(
    names('web', () => servfail, { libc: 'musl' }),
    ['web.one.test again'],
  )
  t.strictSame(
    names('web', () => refusal),
    ['web.one.test again', 'web again'],
  )
  t.strictSame(
    names('web', () => 'silence'),
    ['web.one.test again', 'web again'],
  )
  t.strictSame(
    names('web', () => 'refused'),
    ['web.one.test again'],
    'nobody there',
  )
  const formerr: Reply = { ...base, rcode: Rcode.FORMERR }
  t.strictSame(
    names('web', () => formerr),
    ['web.one.test failed', 'web failed'],
  )
})

t.test('musl asks a server that fails again, at most twice as often as it has questions', async t => {
  t.strictSame(walk('web.', () => servfail, { libc: 'musl' }).sent, [
    'web A',
    'web AAAA',
    'web A',
    'web AAAA',
    'web A',
    'web AAAA',
  ])
})

t.test('one family that says something is enough for glibc, musl wants to hear both', async t => {
  const half = ({ type }: Query) => (type === 'A' ? found : servfail)
  t.match(walk('web', half), { outcome: 'found', addresses: ['192.0.2.1'] })
  t.match(walk('web', half, { libc: 'musl' }), { outcome: 'EAI_AGAIN' })
  const denied = ({ type }: Query) => (type === 'A' ? found : nxdomain)
  t.strictSame(names('web', denied), ['web.one.test found'])
  t.strictSame(names('web', denied, { libc: 'musl' }).length, 3)
})

t.test('a server that answers one of two questions is asked one by one, then from a fresh port', async t => {
  const { sent, sockets, outcome } = walk('web', ({ type }) => (type === 'A' ? found : 'silence'))
  t.strictSame(
    sent,
    ['A', 'AAAA', 'A', 'AAAA', 'A', 'AAAA'].map(type => `web.one.test ${type}`),
  )
  t.strictSame(sockets, [1, 1, 1, 1, 2, 3])
  t.equal(outcome, 'found')
})

t.test('servers in turn, all of them `attempts` times, from the same ports', async t => {
  const { sent, sockets, steps } = walk('web.', () => 'silence', {
    servers: 3,
    options: 'timeout:3 attempts:2',
    types: ['A'],
  })
  t.strictSame(sent, ['web A 1', 'web A 2', 'web A 3', 'web A 1', 'web A 2', 'web A 3'])
  t.strictSame(sockets, [1, 2, 3, 1, 2, 3])
  // 3 s; twice as long shared by three; four times as long shared by three.
  t.strictSame(
    steps[0]?.exchanges.map(({ sentAt }) => sentAt),
    [0, 3000, 5000, 9000, 12_000, 14_000],
  )
})

t.test('rotate: each question goes to the next server', async t => {
  const given = { servers: 2, options: 'rotate', types: ['A'], random: 0.5 } as const
  t.strictSame(walk('web', () => nxdomain, given).sent, ['web.one.test A 2', 'web.two.test A 1', 'web A 2'])
})

t.test('musl asks all servers at once, at even intervals', async t => {
  const { sent, steps } = walk('web.', () => 'silence', {
    servers: 2,
    options: 'timeout:2 attempts:3',
    types: ['A'],
    libc: 'musl',
  })
  t.strictSame(sent, ['web A 1', 'web A 2', 'web A 1', 'web A 2', 'web A 1', 'web A 2'])
  t.strictSame(
    steps[0]?.exchanges.map(({ sentAt }) => sentAt),
    [0, 0, 667, 667, 1334, 1334],
  )
})

t.test('an answer that was cut short: glibc asks both again over TCP, musl the one, old musl none', async t => {
  const react = ({ type, transport }: Query) => (type === 'A' && transport === 'udp' ? cut : found)
  t.strictSame(walk('web.', react).sent, ['web A', 'web AAAA', 'web A tcp', 'web AAAA tcp'])
  t.strictSame(walk('web.', react, { libc: 'musl' }).sent, ['web A', 'web AAAA', 'web A tcp'])
  t.strictSame(walk('web.', react, { libc: 'musl-1.2.3' }).sent, ['web A', 'web AAAA'])
  const closing = ({ transport }: Query) => (transport === 'udp' ? cut : 'closed')
  t.match(walk('web.', closing, { servers: 2 }), { outcome: 'EAI_AGAIN', sent: { length: 6 } })
  t.match(walk('web.', closing, { libc: 'musl' }), { outcome: 'EAI_AGAIN', sent: { length: 4 } })
})

t.test('options that change how is asked', async t => {
  t.strictSame(walk('web.', () => found, { options: 'use-vc' }).sent, ['web A tcp', 'web AAAA tcp'])
  t.strictSame(walk('web.', () => found, { options: 'no-aaaa' }).sent, ['web A'])
  t.match(
    walk('web.', () => found, { options: 'no-aaaa', types: ['AAAA'] }),
    { sent: ['web A'], outcome: 'EAI_NODATA' },
  )
  t.strictSame(names('web', () => nxdomain, { options: 'no-tld-query' }).length, 2)
  const asked = walk('web.', () => found, { options: 'edns0 trust-ad' }).steps[0]?.exchanges[0]?.query
  t.match(asked, { edns: true, ad: true })
  const lame: Reply = { ...base, lame: true }
  t.strictSame(walk('web.', () => lame, { servers: 2, types: ['A'] }).sent, ['web A 1', 'web A 2'])
})

t.test('names that nobody is asked for', async t => {
  for (const libc of ['glibc', 'musl'] as const) {
    t.match(
      walk('10.1', () => found, { libc }),
      { sent: [], outcome: 'found', addresses: ['10.0.0.1'] },
    )
    t.match(
      walk('web..', () => found, { libc }),
      { sent: [], outcome: 'EAI_NONAME' },
    )
  }
  t.match(
    walk('we b', () => found),
    { sent: [], outcome: 'EAI_NONAME' },
  )
  t.match(
    walk('x'.repeat(64), () => found, { libc: 'musl' }),
    { sent: [], outcome: 'EAI_NONAME' },
  )
  t.match(walk('x'.repeat(64), () => found, { libc: 'musl-1.2.3' }).steps.length, 1, 'an old one stops at once')
  t.strictSame(walk('.', () => nxdomain).sent, ['. A', '. AAAA'])
})

t.test('an alias that leads nowhere is found, and ends the search', async t => {
  const dangling: Reply = { ...base, answers: 1 }
  t.match(
    walk('web', () => dangling),
    { outcome: 'EAI_NONAME', steps: { length: 1 } },
  )
  t.match(
    walk('web', () => dangling, { libc: 'musl' }),
    { outcome: 'EAI_NODATA', steps: { length: 1 } },
  )
})
