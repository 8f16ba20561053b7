import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { definition } from '../../src/plugins/hosts/index.ts'
import { bare } from '../../src/wire/answer.ts'
import { shown } from '../helpers/answer.ts'
import { pluginBench, queryFor } from '../helpers/plugin.ts'

const FILE = `# comment
127.0.0.1   localhost
192.0.2.10  Example.org www.example.org # alias
2001:db8::1 www.example.org
fe80::1%lo0 link.example.org
192.0.2.20  *.wild.example.org
192.0.2.21  own.wild.example.org
2001:db8::2 six.wild.example.org
192.0.2.10  other.net
`

interface Options {
  readonly file?: string
  readonly zone?: string
  readonly lines?: readonly string[]
}

/** The plugin with `hosts` as its file; what it passes on is answered with REFUSED. */
async function hostsBench(t: Test, { file = FILE, zone = '.', lines = [] }: Options = {}) {
  const directory = t.testdir({ hosts: file })
  const block = lines.length === 0 ? '' : `{\n${lines.join('\n')}\n}`
  const bench = pluginBench(definition, `hosts hosts ${block}`, { zone, directory })
  await bench.plugin.start?.()
  t.teardown(() => bench.plugin.stop?.())
  const ask = (name: string, type = 'A') => {
    const query = queryFor(name, type)
    const reply = bench.plugin.handle(query, () => ({ answer: bare(5), plugin: 'next' }))
    if (reply instanceof Promise) throw new Error('no need to wait')
    return shown(reply.answer, query)
  }
  return { ...bench, ask, path: join(directory, 'hosts') }
}

const NEXT = ['rcode REFUSED']
const NODATA = ['rcode NOERROR AA']

t.test('answers from its file', async t => {
  const { ask } = await hostsBench(t)
  t.strictSame(ask('www.example.org'), ['rcode NOERROR AA', '= www.example.org. 3600 IN A 192.0.2.10'])
  t.strictSame(ask('www.example.org', 'AAAA'), ['rcode NOERROR AA', '= www.example.org. 3600 IN AAAA 2001:db8::1'])
  t.strictSame(ask('link.example.org', 'AAAA').slice(1), ['= link.example.org. 3600 IN AAAA fe80::1'])
  t.strictSame(ask('localhost').slice(1), ['= localhost. 3600 IN A 127.0.0.1'])
})

t.test('four addresses of one family are not one of the other', async t => {
  const four = ['1.2.3.4', '5.6.7.8', '9.10.11.12', '13.14.15.16']
  const file = [...four.map(address => `${address} four.test`), '102:304:506:708:90a:b0c:d0e:f10 six.test'].join('\n')
  const { ask } = await hostsBench(t, { file })
  t.strictSame(ask('four.test', 'AAAA'), NODATA)
  t.strictSame(ask('six.test', 'AAAA').slice(1), ['= six.test. 3600 IN AAAA 102:304:506:708:90a:b0c:d0e:f10'])
})

t.test('owners are in lower case', async t => {
  const { ask } = await hostsBench(t)
  t.strictSame(ask('WWW.Example.ORG').slice(1), ['= www.example.org. 3600 IN A 192.0.2.10'])
  t.strictSame(ask('10.2.0.192.IN-ADDR.arpa', 'PTR')[1], '= 10.2.0.192.in-addr.arpa. 3600 IN PTR example.org.')
})

t.test('other types and families of a known name: NODATA without SOA', async t => {
  const { ask } = await hostsBench(t)
  t.strictSame(ask('localhost', 'AAAA'), NODATA)
  for (const type of ['MX', 'TXT', 'SOA', 'ANY', 'HTTPS']) t.strictSame(ask('localhost', type), NODATA, type)
})

t.test('a name that it does not have: SERVFAIL, or the next plugin with fallthrough', async t => {
  const closed = await hostsBench(t)
  t.strictSame(closed.ask('nosuch.example.org'), ['rcode SERVFAIL'])
  t.strictSame(closed.ask('1.2.0.192.in-addr.arpa', 'PTR'), NEXT, 'PTR always')
  t.strictSame(closed.ask('www.example.org', 'PTR'), NEXT)
  const open = await hostsBench(t, { lines: ['fallthrough'] })
  t.strictSame(open.ask('nosuch.example.org'), NEXT)
  t.strictSame(open.ask('localhost', 'MX'), NODATA)
  const some = await hostsBench(t, { lines: ['fallthrough example.org'] })
  t.strictSame(some.ask('nosuch.example.org'), NEXT)
  t.strictSame(some.ask('nosuch.example.net'), ['rcode SERVFAIL'])
})

t.test('fallthrough_unsupported passes other types on', async t => {
  const { ask } = await hostsBench(t, { lines: ['fallthrough example.org', 'fallthrough_unsupported'] })
  t.strictSame(ask('www.example.org', 'MX'), NEXT)
  t.strictSame(ask('example.org', 'AAAA'), NODATA)
  t.strictSame(ask('localhost', 'MX'), NODATA)
})

t.test('serves its zones only, but any address', async t => {
  const { ask } = await hostsBench(t, { zone: 'example.org' })
  t.strictSame(ask('localhost'), NEXT)
  t.strictSame(ask('10.2.0.192.in-addr.arpa', 'PTR').slice(1), [
    '= 10.2.0.192.in-addr.arpa. 3600 IN PTR example.org.',
    '= 10.2.0.192.in-addr.arpa. 3600 IN PTR www.example.org.',
  ])
  t.strictSame(ask('1.0.0.127.in-addr.arpa', 'PTR'), NEXT)
})

t.test('PTR answers all names of an address, not wildcards', async t => {
  const { ask } = await hostsBench(t)
  t.equal(ask('10.2.0.192.in-addr.arpa', 'PTR').length, 4)
  t.strictSame(ask('20.2.0.192.in-addr.arpa', 'PTR'), NEXT)
  t.equal(
    ask(`1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`, 'PTR')[1]
      ?.split(' ')
      .at(-1),
    'www.example.org.',
  )
  const without = await hostsBench(t, { lines: ['no_reverse'] })
  t.strictSame(without.ask('10.2.0.192.in-addr.arpa', 'PTR'), NEXT)
})

t.test('a wildcard stands for one label, family by family', async t => {
  const { ask } = await hostsBench(t)
  t.strictSame(ask('any.wild.example.org').slice(1), ['= any.wild.example.org. 3600 IN A 192.0.2.20'])
  t.strictSame(ask('Any.wild.example.org').slice(1), ['= any.wild.example.org. 3600 IN A 192.0.2.20'])
  t.strictSame(ask('own.wild.example.org').slice(1), ['= own.wild.example.org. 3600 IN A 192.0.2.21'])
  t.strictSame(ask('six.wild.example.org').slice(1), ['= six.wild.example.org. 3600 IN A 192.0.2.20'])
  t.strictSame(ask('two.labels.wild.example.org'), ['rcode SERVFAIL'])
  t.strictSame(ask('wild.example.org'), ['rcode SERVFAIL'])
})

t.test('lines of the Corefile add to the file', async t => {
  const lines = [
    '192.0.2.99 www.example.org new.example.org',
    '192.0.2.98 one.wild.example.org',
    'ttl 60',
    'fallthrough',
  ]
  const { ask } = await hostsBench(t, { lines })
  t.strictSame(ask('www.example.org').slice(1), [
    '= www.example.org. 60 IN A 192.0.2.10',
    '= www.example.org. 60 IN A 192.0.2.99',
  ])
  t.strictSame(ask('new.example.org').slice(1), ['= new.example.org. 60 IN A 192.0.2.99'])
  t.strictSame(ask('one.wild.example.org').slice(1), [
    '= one.wild.example.org. 60 IN A 192.0.2.20',
    '= one.wild.example.org. 60 IN A 192.0.2.98',
  ])
})

t.test('says once what it left out, and where', async t => {
  const file = '127.0.0.1 good\nlocalhost\n10.0.0 b\n192.0.2.1 c..d good2\n'
  const { lines, path, ask } = await hostsBench(t, { file, lines: ['fallthru'] })
  t.strictSame(lines, [
    '[WARNING] Corefile:3:1: "fallthru" is not an address; left out',
    `[WARNING] ${path}:2: "localhost" is not an address; left out, and 2 more like it`,
  ])
  t.strictSame(ask('good2').slice(1), ['= good2. 3600 IN A 192.0.2.1'])
})

/** Waits for a file that is read behind to have been read. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve))
}

t.test('reads the file anew when it changes', async t => {
  const { ask, clock, path, metrics } = await hostsBench(t, { file: '192.0.2.1 a.test\n' })
  t.match(await metrics.exposition(), new RegExp(`coredns_hosts_entries{hostsfile="${path}"} 2\n`))
  await writeFile(path, '192.0.2.100 a.test b.test\n')
  clock.advance(4999)
  t.match(ask('a.test')[1], '192.0.2.1')
  clock.advance(1)
  await until(() => ask('b.test').length > 1)
  t.strictSame(ask('a.test').slice(1), ['= a.test. 3600 IN A 192.0.2.100'])
  t.match(await metrics.exposition(), new RegExp(`coredns_hosts_entries{hostsfile="${path}"} 4\n`))
  t.match(await metrics.exposition(), /coredns_hosts_reload_timestamp_seconds \d{10}/)
})

t.test('a file that has gone leaves what it said, and one line in the log', async t => {
  const { ask, clock, path, lines } = await hostsBench(t, { file: '192.0.2.1 a.test\n', lines: ['reload 1s'] })
  await rm(path)
  clock.advance(1000)
  await until(() => lines.length > 0)
  clock.advance(1000)
  for (let i = 0; i < 1000; i++) await new Promise(resolve => setImmediate(resolve))
  t.equal(lines.length, 1)
  t.match(lines[0], /^\[WARNING\] hosts file cannot be read: ENOENT/)
  t.match(ask('a.test')[1], '192.0.2.1')
})

t.test('a missing file is no reason not to start', async t => {
  const bench = pluginBench(definition, 'hosts missing {\n192.0.2.1 a.test\nreload 0\n}', { directory: t.testdir({}) })
  await bench.plugin.start?.()
  t.match(bench.lines, [/ENOENT/])
  t.match(await bench.metrics.exposition(), /coredns_hosts_entries{[^}]*} 2\n/)
})

t.test('takes what CoreDNS takes, refuses what it refuses', async t => {
  const setup = (line: string) => () => pluginBench(definition, line)
  for (const line of [
    'hosts',
    'hosts /etc/hosts',
    'hosts file example.org 10.0.0.0/8',
    'hosts {\nttl 1\nno_reverse\nreload 0\nfallthrough a.test b.test\nfallthrough_unsupported\n}',
    'hosts {\nreload 1.5h\n10.0.0.1 a.test\nfallthrough\n}',
  ]) {
    t.doesNotThrow(setup(line), line)
  }
  for (const [option, column] of [
    ['ttl', 1],
    ['ttl a', 5],
    ['ttl 0', 5],
    ['ttl 65536', 5],
    ['reload', 1],
    ['reload 5', 8],
    ['reload -5s', 8],
    ['fallthrough_unsupported', 1],
  ] as const) {
    t.throws(
      setup(`hosts {\n${option}\n}`),
      { code: 'PORTOLAN_COREFILE_OPTION', message: new RegExp(`^Corefile:3:${column}: hosts: `) },
      option,
    )
  }
  t.throws(setup('hosts {\nfallthrough\n10.0.0.1 a.test\n}'), {
    message: 'Corefile:4:1: hosts: unknown option "10.0.0.1"',
  })
})
